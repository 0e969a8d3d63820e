"""A program with one resource or more of every translated kind, written as the AWS side writes them."""

from __future__ import annotations

import json

import pulumi_aws as aws


def document(**statement: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def build() -> None:
    network()
    stores()
    access()


def network() -> None:
    vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", enable_dns_support=True, enable_dns_hostnames=True)
    gateway = aws.ec2.InternetGateway("gateway", vpc_id=vpc.id)
    subnets = [
        aws.ec2.Subnet(
            f"subnet-{zone}", vpc_id=vpc.id, cidr_block=f"10.0.{16 * number}.0/20",
            availability_zone=f"ap-south-1{zone}",            map_public_ip_on_launch=False,
        )
        for number, zone in enumerate("abc")
    ]  # fmt: skip
    address = aws.ec2.Eip("nat", domain="vpc")
    nat = aws.ec2.NatGateway("nat", subnet_id=subnets[0].id, allocation_id=address.id)
    table = aws.ec2.RouteTable("public", vpc_id=vpc.id, routes=[{"cidr_block": "0.0.0.0/0", "gateway_id": gateway.id}])
    private = aws.ec2.RouteTable("private", vpc_id=vpc.id)
    aws.ec2.Route("nat", route_table_id=private.id, destination_cidr_block="0.0.0.0/0", nat_gateway_id=nat.id)
    aws.ec2.RouteTableAssociation("a", route_table_id=table.id, subnet_id=subnets[0].id)
    group = aws.ec2.SecurityGroup(
        "edge", name="edge", description="the edge", vpc_id=vpc.id,
        ingress=[{"protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_blocks": ["0.0.0.0/0"]}],
        egress=[{"protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["10.0.0.0/16"]}],
    )  # fmt: skip
    inner = aws.ec2.SecurityGroup("inner", name="inner", description="inside", vpc_id=vpc.id)
    aws.vpc.SecurityGroupIngressRule(
        "inner",
        security_group_id=inner.id,
        referenced_security_group_id=group.id,
        ip_protocol="tcp",
        from_port=80,
        to_port=80,
    )
    aws.vpc.SecurityGroupEgressRule("out", security_group_id=inner.id, ip_protocol="-1", cidr_ipv4="10.0.0.0/16")
    aws.ec2.SecurityGroupRule(
        "self", type="ingress", security_group_id=inner.id, protocol="tcp", from_port=9092, to_port=9092, self=True
    )
    aws.ec2.VpcEndpoint(
        "s3", vpc_id=vpc.id, service_name="com.amazonaws.ap-south-1.s3", vpc_endpoint_type="Gateway",
        route_table_ids=[private.id],
    )  # fmt: skip
    logs = aws.cloudwatch.LogGroup("flow", name="/ticketly/flow", retention_in_days=30)
    writer = aws.iam.Role(
        "flow", name="flow", assume_role_policy=document(
            Action="sts:AssumeRole", Principal={"Service": "vpc-flow-logs.amazonaws.com"}
        ),
    )  # fmt: skip
    aws.ec2.FlowLog(
        "flow", vpc_id=vpc.id, traffic_type="ALL", log_destination_type="cloud-watch-logs", log_destination=logs.arn,
        iam_role_arn=writer.arn, max_aggregation_interval=60,
    )  # fmt: skip
    edge(vpc, subnets, group)
    inside(subnets, inner)


def edge(vpc: aws.ec2.Vpc, subnets: list[aws.ec2.Subnet], group: aws.ec2.SecurityGroup) -> None:
    zone = aws.route53.Zone("zone", name="example.com", comment="made by the program")
    certificate = aws.acm.Certificate("api", domain_name="api.example.com", validation_method="DNS")
    balancer = aws.lb.LoadBalancer(
        "edge", name="edge", load_balancer_type="application", internal=False, subnets=[one.id for one in subnets],
        security_groups=[group.id], drop_invalid_header_fields=True, enable_deletion_protection=True, idle_timeout=120,
    )  # fmt: skip
    target = aws.lb.TargetGroup(
        "api", name="api", port=8090, protocol="HTTP", target_type="ip", vpc_id=vpc.id,
        health_check={"path": "/health", "interval": 10, "timeout": 5, "healthy_threshold": 2, "matcher": "200"},
    )  # fmt: skip
    aws.lb.Listener(
        "http", load_balancer_arn=balancer.arn, port=80, protocol="HTTP",
        default_actions=[{
            "type": "redirect", "redirect": {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"},
        }],
    )  # fmt: skip
    https = aws.lb.Listener(
        "https", load_balancer_arn=balancer.arn, port=443, protocol="HTTPS", certificate_arn=certificate.arn,
        ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        default_actions=[{"type": "fixed-response", "fixed_response": {
            "content_type": "text/plain", "status_code": "404", "message_body": "nothing here"}}],
    )  # fmt: skip
    aws.lb.ListenerRule(
        "api", listener_arn=https.arn, priority=10, conditions=[{"path_pattern": {"values": ["/api/*"]}}],
        actions=[{"type": "forward", "target_group_arn": target.arn}],
    )  # fmt: skip
    seen = {"cloudwatch_metrics_enabled": True, "metric_name": "rate", "sampled_requests_enabled": True}
    acl = aws.wafv2.WebAcl(
        "edge", name="edge", scope="REGIONAL", default_action={"allow": {}}, visibility_config=seen,
        rules=[
            {
                "name": "rate", "priority": 0, "action": {"block": {}}, "visibility_config": seen,
                "statement": {"rate_based_statement": {"limit": 2000, "aggregate_key_type": "IP"}},
            },
            {
                "name": "common", "priority": 1, "override_action": {"none": {}}, "visibility_config": seen,
                "statement": {"managed_rule_group_statement": {
                    "name": "AWSManagedRulesCommonRuleSet", "vendor_name": "AWS",
                    "rule_action_overrides": [{"name": "SizeRestrictions_BODY", "action_to_use": {"count": {}}}],
                }},
            },
        ],
    )  # fmt: skip
    aws.wafv2.WebAclAssociation("edge", resource_arn=balancer.arn, web_acl_arn=acl.arn)
    aws.route53.Record(
        "api", zone_id=zone.zone_id, name="api.example.com", type="A",
        aliases=[{"name": balancer.dns_name, "zone_id": balancer.zone_id, "evaluate_target_health": True}],
    )  # fmt: skip


def inside(subnets: list[aws.ec2.Subnet], group: aws.ec2.SecurityGroup) -> None:
    ids = [one.id for one in subnets]
    places = aws.rds.SubnetGroup("database", name="database", subnet_ids=ids)
    parameters = aws.rds.ParameterGroup(
        "database", name="database", family="postgres17",
        parameters=[{"name": "rds.logical_replication", "value": "1", "apply_method": "pending-reboot"}],
    )  # fmt: skip
    aws.rds.Instance(
        "database", identifier="database", engine="postgres", engine_version="17.4", instance_class="db.t4g.medium",
        allocated_storage=50, storage_type="gp3", storage_encrypted=True, username="ticketly", port=5432,
        manage_master_user_password=True, multi_az=True, db_subnet_group_name=places.name,
        vpc_security_group_ids=[group.id], parameter_group_name=parameters.name, publicly_accessible=False,
        backup_retention_period=7, deletion_protection=True, final_snapshot_identifier="last",
        performance_insights_enabled=True, enabled_cloudwatch_logs_exports=["postgresql"], copy_tags_to_snapshot=True,
    )  # fmt: skip
    caches = aws.elasticache.SubnetGroup("cache", name="cache", subnet_ids=ids)
    aws.elasticache.ReplicationGroup(
        "cache", replication_group_id="cache", description="the cache", engine="redis", engine_version="7.1",
        node_type="cache.t4g.small", num_cache_clusters=2, automatic_failover_enabled=True, multi_az_enabled=True,
        subnet_group_name=caches.name, security_group_ids=[group.id], at_rest_encryption_enabled=True,
        transit_encryption_enabled=True, auth_token="a-token-of-sixteen", snapshot_retention_limit=3,
    )  # fmt: skip
    settings = aws.msk.Configuration(
        "kafka", name="kafka", kafka_versions=["3.9.x"], server_properties="auto.create.topics.enable=false"
    )
    aws.msk.Cluster(
        "kafka", cluster_name="kafka", kafka_version="3.9.x", number_of_broker_nodes=3,
        broker_node_group_info={
            "instance_type": "kafka.m7g.large", "client_subnets": ids, "security_groups": [group.id],
            "storage_info": {"ebs_storage_info": {"volume_size": 100}},
        },
        encryption_info={"encryption_in_transit": {"client_broker": "TLS", "in_cluster": True}},
        client_authentication={"sasl": {"scram": True}}, configuration_info={"arn": settings.arn, "revision": 1},
    )  # fmt: skip
    trusted = document(Action="sts:AssumeRole", Principal={"Service": "eks.amazonaws.com"})
    role = aws.iam.Role("cluster", name="cluster", assume_role_policy=trusted)
    cluster = aws.eks.Cluster(
        "cluster", name="ticketly", role_arn=role.arn, version="1.33", enabled_cluster_log_types=["api", "audit"],
        vpc_config={"subnet_ids": ids, "endpoint_private_access": True, "endpoint_public_access": False},
    )  # fmt: skip
    aws.eks.PodIdentityAssociation(
        "order", cluster_name=cluster.name, namespace="ticketly", service_account="order", role_arn=role.arn
    )
    profile = aws.iam.InstanceProfile("node", name="node", role=role.name)
    aws.ec2.Instance(
        "node", ami="ami-12c6146b", instance_type="t4g.medium", subnet_id=subnets[0].id,
        iam_instance_profile=profile.name, vpc_security_group_ids=[group.id],
        metadata_options={"http_tokens": "required", "http_endpoint": "enabled"},
    )  # fmt: skip


def stores() -> None:
    key = aws.kms.Key("data", description="data", enable_key_rotation=True, deletion_window_in_days=30)
    aws.kms.Alias("data", name="alias/ticketly-data", target_key_id=key.key_id)
    dead = aws.sqs.Queue("dead", name="reminders-dead", message_retention_seconds=1209600, kms_master_key_id=key.id)
    queue = aws.sqs.Queue(
        "reminders", name="reminders", visibility_timeout_seconds=60, receive_wait_time_seconds=20,
        kms_master_key_id=key.id,
        redrive_policy=dead.arn.apply(lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})),
    )  # fmt: skip
    aws.sqs.QueuePolicy(
        "reminders", queue_url=queue.url, policy=queue.arn.apply(lambda arn: document(
            Action="sqs:SendMessage", Resource=arn, Principal={"Service": "scheduler.amazonaws.com"})),
    )  # fmt: skip
    aws.sqs.RedriveAllowPolicy(
        "dead", queue_url=dead.url, redrive_allow_policy=queue.arn.apply(
            lambda arn: json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [arn]})),
    )  # fmt: skip
    role = aws.iam.Role("scheduler", name="scheduler", assume_role_policy=document(
        Action="sts:AssumeRole", Principal={"Service": "scheduler.amazonaws.com"}))  # fmt: skip
    group = aws.scheduler.ScheduleGroup("group", name="ticketly")
    aws.scheduler.Schedule(
        "trending", name="trending", group_name=group.name, schedule_expression="rate(1 hour)",
        flexible_time_window={"mode": "OFF"}, target={"arn": queue.arn, "role_arn": role.arn, "input": "{}",
        "retry_policy": {"maximum_retry_attempts": 3}},
    )  # fmt: skip
    bucket = aws.s3.Bucket("uploads", bucket="ticketly-uploads-sample")
    aws.s3.BucketVersioning("uploads", bucket=bucket.id, versioning_configuration={"status": "Enabled"})
    aws.s3.BucketServerSideEncryptionConfiguration(
        "uploads", bucket=bucket.id, rules=[{"bucket_key_enabled": True, "apply_server_side_encryption_by_default": {
            "sse_algorithm": "aws:kms", "kms_master_key_id": key.arn}}],
    )  # fmt: skip
    aws.s3.BucketPublicAccessBlock(
        "uploads", bucket=bucket.id, block_public_acls=True, block_public_policy=True, ignore_public_acls=True,
        restrict_public_buckets=True,
    )  # fmt: skip
    aws.s3.BucketOwnershipControls("uploads", bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"})
    aws.s3.BucketLifecycleConfiguration("uploads", bucket=bucket.id, rules=[{
        "id": "old", "status": "Enabled", "filter": {"prefix": ""},
        "noncurrent_version_expiration": {"noncurrent_days": 30},
        "abort_incomplete_multipart_upload": {"days_after_initiation": 7}}])  # fmt: skip
    aws.s3.BucketPolicy("uploads", bucket=bucket.id, policy=bucket.arn.apply(lambda arn: json.dumps({
        "Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]})))  # fmt: skip


def access() -> None:
    secret = aws.secretsmanager.Secret("database", name="ticketly/database", recovery_window_in_days=7)
    aws.secretsmanager.SecretVersion("database", secret_id=secret.id, secret_string="{}")
    role = aws.iam.Role("order", name="order", assume_role_policy=document(
        Action=["sts:AssumeRole", "sts:TagSession"], Principal={"Service": "pods.eks.amazonaws.com"}))  # fmt: skip
    policy = aws.iam.Policy("order", name="order", policy=secret.arn.apply(
        lambda arn: document(Action="secretsmanager:GetSecretValue", Resource=arn)))  # fmt: skip
    aws.iam.RolePolicyAttachment("order", role=role.name, policy_arn=policy.arn)
    aws.iam.RolePolicy("order", role=role.name, policy=document(Action="ses:SendEmail", Resource="*"))
    repository = aws.ecr.Repository(
        "order", name="ticketly/order", image_tag_mutability="IMMUTABLE",
        image_scanning_configuration={"scan_on_push": True},
        encryption_configurations=[{"encryption_type": "KMS"}],
    )  # fmt: skip
    aws.ecr.LifecyclePolicy("order", repository=repository.name, policy=json.dumps({"rules": [{
        "rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days",
        "countNumber": 14}, "action": {"type": "expire"}}]}))  # fmt: skip
    topic = aws.sns.Topic("alarms", name="alarms")
    aws.sns.TopicPolicy("alarms", arn=topic.arn, policy=topic.arn.apply(lambda arn: document(
        Action="sns:Publish", Resource=arn, Principal={"Service": "cloudwatch.amazonaws.com"})))  # fmt: skip
    aws.sns.TopicSubscription("mail", topic=topic.arn, protocol="email", endpoint="ops@example.com")
    aws.cloudwatch.MetricAlarm(
        "dead", name="dead-letters", comparison_operator="GreaterThanThreshold", evaluation_periods=1, threshold=0,
        metric_name="ApproximateNumberOfMessagesVisible", namespace="AWS/SQS", period=60, statistic="Maximum",
        dimensions={"QueueName": "reminders-dead"}, alarm_actions=[topic.arn], treat_missing_data="notBreaching",
    )  # fmt: skip
    aws.cloudwatch.Dashboard("edge", dashboard_name="edge", dashboard_body=json.dumps({"widgets": []}))
