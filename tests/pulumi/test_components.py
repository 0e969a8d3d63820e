"""What single components promise, read from the programs that are made of them (on mocks)."""

from __future__ import annotations

import base64
import json

import pytest

from ticketly_infra import data_node, documents, exports, identity, queues, registry
from ticketly_infra.cache import Cache, CacheArgs
from ticketly_infra.document_store import DocumentStore, DocumentStoreArgs
from ticketly_infra.domains import Domains, DomainsArgs
from ticketly_infra.secrets import Secrets, SecretsArgs

PROFILES = ("dev", "prod")
KEY = "arn:aws:kms:ap-south-1:123456789012:key/1"


def statements(resource: dict, name: str = "policy") -> list[dict]:
    found = json.loads(resource["inputs"][name])["Statement"]
    return found if isinstance(found, list) else [found]


def actions(resource: dict) -> set[str]:
    found: set[str] = set()
    for one in statements(resource):
        found |= {one["Action"]} if isinstance(one["Action"], str) else set(one["Action"])
    return found


# database ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_the_database_can_be_captured_and_a_stopped_connector_cannot_fill_it(programs, profile):
    resources = programs[profile].resources
    parameters = {
        one["name"]: one["value"] for one in resources.one("rds/parameterGroup:ParameterGroup")["inputs"]["parameters"]
    }
    assert (parameters["rds.logical_replication"], parameters["rds.force_ssl"]) == ("1", "1")
    storage = resources.one("rds/instance:Instance")["inputs"]["allocatedStorage"]
    assert 0 < int(parameters["max_slot_wal_keep_size"]) <= storage * 1024 / 2


def test_the_master_s_password_is_made_by_rds_and_read_by_the_setup_task_alone(programs):
    resources = programs["prod"].resources
    database = resources.one("rds/instance:Instance")
    assert database["inputs"]["manageMasterUserPassword"]
    assert "password" not in database["inputs"]
    secret = database["outputs"]["masterUserSecrets"][0]["secretArn"]
    readers = {one["name"] for one in resources if secret in json.dumps(one["inputs"])}
    assert readers == {"ticketly-prod-roles", "ticketly-prod-roles-start"}


# queues and schedules ---------------------------------------------------------------------------------------------


def test_a_job_is_tried_five_times_and_then_kept_for_two_weeks(programs):
    found = {one["name"]: one for one in programs["dev"].resources.of("sqs/queue:Queue")}
    assert len(found) == 2 * len(queues.NAMES)
    for name in queues.NAMES:
        queue, dead = found[f"ticketly-dev-{name}"], found[f"ticketly-dev-{name}-dead"]
        redrive = json.loads(queue["inputs"]["redrivePolicy"])
        assert redrive == {"deadLetterTargetArn": dead["outputs"]["arn"], "maxReceiveCount": 5}
        assert dead["inputs"]["messageRetentionSeconds"] == 14 * 24 * 3600
        assert "redrivePolicy" not in dead["inputs"]


def test_a_queue_s_policy_refuses_and_grants_nothing(programs):
    for one in programs["dev"].resources.of("sqs/queuePolicy:QueuePolicy"):
        assert {part["Effect"] for part in statements(one)} == {"Deny"}


def test_schedules_run_with_a_role_that_can_send_and_nothing_else(programs):
    resources = programs["prod"].resources
    role = resources.one("iam/rolePolicy:RolePolicy", "prod-scheduler")
    assert actions(role) == {"sqs:SendMessage", "kms:Decrypt", "kms:GenerateDataKey"}
    (trust,) = statements(resources.one("iam/role:Role", "prod-scheduler"), "assumeRolePolicy")
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    group = resources.one("scheduler/scheduleGroup:ScheduleGroup")["inputs"]["name"]
    assert trust["Condition"]["ArnLike"]["aws:SourceArn"].endswith(f":schedule-group/{group}")


def test_the_trending_job_is_sent_once_a_day_and_what_fails_is_kept(programs):
    schedule = programs["dev"].resources.one("scheduler/schedule:Schedule")["inputs"]
    queue = programs["dev"].resources.one("sqs/queue:Queue", "trending-job")["outputs"]["arn"]
    dead = programs["dev"].resources.one("sqs/queue:Queue", "trending-job-dead")["outputs"]["arn"]
    assert schedule["scheduleExpression"] == "cron(0 2 * * ? *)"
    assert (schedule["target"]["arn"], schedule["target"]["deadLetterConfig"]["arn"]) == (queue, dead)


# images -----------------------------------------------------------------------------------------------------------


def test_images_are_read_by_one_distribution_and_by_nobody_else(programs):
    resources = programs["prod"].resources
    distribution = resources.one("cloudfront/distribution:Distribution")
    allowed = [
        one for one in statements(resources.one("s3/bucketPolicy:BucketPolicy", "images")) if one["Effect"] == "Allow"
    ]
    assert [(one["Principal"], one["Action"]) for one in allowed] == [
        ({"Service": "cloudfront.amazonaws.com"}, "s3:GetObject")
    ]
    assert allowed[0]["Condition"]["StringEquals"]["aws:SourceArn"] == distribution["outputs"]["arn"]
    access = resources.one("cloudfront/originAccessControl:OriginAccessControl")
    (origin,) = distribution["inputs"]["origins"]
    assert origin["originAccessControlId"] == access["id"]
    assert (access["inputs"]["signingBehavior"], access["inputs"]["signingProtocol"]) == ("always", "sigv4")


def test_certificates_of_cloudfront_come_from_its_region(programs):
    regions = {
        one["name"]: one["inputs"]["region"] for one in programs["prod"].resources.of("acm/certificate:Certificate")
    }
    assert regions == {
        "ticketly-prod-certificate-edge": "ap-south-1",
        "ticketly-prod-certificate-images": "us-east-1",
    }


def test_image_repositories_never_move_a_tag_and_forget_old_ones(programs):
    found = programs["prod"].resources.of("ecr/repository:Repository")
    assert len(found) == len(registry.SERVICES) + len(registry.OTHERS)
    assert {one["inputs"]["imageTagMutability"] for one in found} == {"IMMUTABLE"}
    assert all(one["inputs"]["imageScanningConfiguration"] == {"scanOnPush": True} for one in found)
    assert [rule["selection"]["tagStatus"] for rule in json.loads(registry.life_cycle())["rules"]] == [
        "untagged",
        "tagged",
    ]


# roles of services ------------------------------------------------------------------------------------------------


def test_each_service_has_a_role_of_its_own_by_pod_identity(programs):
    resources = programs["prod"].resources
    found = {
        one["inputs"]["serviceAccount"]: one["inputs"]
        for one in resources.of("eks/podIdentityAssociation:PodIdentityAssociation")
    }
    assert set(found) == {"ticketly-event-command", "ticketly-scheduler"}
    assert {one["namespace"] for one in found.values()} == {"ticketly"}
    assert len({one["roleArn"] for one in found.values()}) == 2
    for role in resources.of("iam/role:Role"):
        if "workload" in role["name"]:
            (trust,) = statements(role, "assumeRolePolicy")
            assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
            assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]


def test_the_scheduler_service_passes_one_role_to_one_service_and_works_off_its_queues(programs):
    (policy,) = [
        one for one in programs["prod"].resources.of("iam/rolePolicy:RolePolicy") if "workload-scheduler" in one["name"]
    ]
    passing = [one for one in statements(policy) if one["Action"] == "iam:PassRole"]
    assert [one["Condition"] for one in passing] == [
        {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    ]
    assert "sqs:SendMessage" not in actions(policy)
    assert not any(one["Resource"] == "*" for one in statements(policy))


# clusters and machines --------------------------------------------------------------------------------------------


def test_the_large_cluster_is_private_encrypted_logged_and_knows_only_named_administrators(programs):
    cluster = programs["prod"].resources.one("eks/cluster:Cluster")["inputs"]
    assert (cluster["vpcConfig"]["endpointPrivateAccess"], cluster["vpcConfig"]["endpointPublicAccess"]) == (
        True,
        False,
    )
    assert cluster["encryptionConfig"]["resources"] == ["secrets"]
    assert {"api", "audit", "authenticator"} <= set(cluster["enabledClusterLogTypes"])
    assert cluster["accessConfig"] == {
        "authenticationMode": "API",
        "bootstrapClusterCreatorAdminPermissions": False,
    }
    addons = {one["inputs"]["addonName"] for one in programs["prod"].resources.of("eks/addon:Addon")}
    assert {"vpc-cni", "eks-pod-identity-agent", "metrics-server"} <= addons


def test_pods_of_the_large_cluster_cannot_reach_the_nodes_role(programs):
    template = programs["prod"].resources.one("ec2/launchTemplate:LaunchTemplate")["inputs"]
    assert template["metadataOptions"]["httpPutResponseHopLimit"] == 1


def test_workers_of_the_small_cluster_join_by_a_fetched_token(programs):
    resources = programs["dev"].resources
    token = resources.one("secretsmanager/secret:Secret", "k3s")["outputs"]["arn"]
    script = base64.b64decode(resources.one("ec2/launchTemplate:LaunchTemplate")["inputs"]["userData"]).decode()
    assert token in script
    assert resources.one("ec2/instance:Instance", "server")["outputs"]["privateIp"] in script
    assert resources.one("autoscaling/group:Group")["inputs"]["minSize"] == 3


def test_data_of_the_data_node_outlives_the_machine(programs):
    resources = programs["dev"].resources
    disk = resources.one("ebs/volume:Volume")
    assert disk["protect"]
    assert resources.one("ec2/volumeAttachment:VolumeAttachment")["inputs"]["volumeId"] == disk["id"]
    policy = resources.one("dlm/lifecyclePolicy:LifecyclePolicy")["inputs"]["policyDetails"]
    assert policy["targetTags"].items() <= disk["inputs"]["tags"].items()
    assert resources.one("ec2/instance:Instance", "data")["ignoreChanges"] == ["ami"]


def test_the_data_node_lets_in_nodes_only_and_serves_what_the_platform_names(programs):
    resources = programs["dev"].resources
    rules = [
        one["inputs"]
        for one in resources.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        if one["name"].startswith("ticketly-dev-data-from")
    ]
    ports = {data_node.KAFKA_PORT, data_node.CONNECT_PORT, data_node.MONGO_PORT, data_node.REDIS_PORT}
    assert {one["fromPort"] for one in rules} == ports
    nodes = resources.one("ec2/securityGroup:SecurityGroup", "dev-nodes")["id"]
    assert {one["referencedSecurityGroupId"] for one in rules} == {nodes}
    script = resources.one("ec2/instance:Instance", "data")["inputs"]["userData"]
    assert f"/run/ticketly/connect/{exports.POSTGRES}/cdc-password" in script


# stores of the large profile --------------------------------------------------------------------------------------


def test_brokers_take_signed_in_clients_over_tls_and_never_lose_an_acknowledged_message(programs):
    cluster = programs["prod"].resources.one("msk/cluster:Cluster")["inputs"]
    assert cluster["numberOfBrokerNodes"] == 3
    assert cluster["encryptionInfo"]["encryptionInTransit"] == {"clientBroker": "TLS", "inCluster": True}
    assert cluster["clientAuthentication"] == {"sasl": {"scram": True, "iam": False}, "unauthenticated": False}
    properties = programs["prod"].resources.one("msk/configuration:Configuration")["inputs"]["serverProperties"]
    assert {"min.insync.replicas=2", "unclean.leader.election.enable=false", "auto.create.topics.enable=false"} <= set(
        properties.splitlines()
    )
    secret = programs["prod"].resources.one("secretsmanager/secret:Secret", "-kafka")
    assert secret["inputs"]["name"].startswith("AmazonMSK_")


def test_the_cache_asks_for_a_token_over_tls_and_the_platform_gets_a_url_that_says_so(programs):
    cache = programs["prod"].resources.one("elasticache/replicationGroup:ReplicationGroup")
    url = json.loads(
        programs["prod"].resources.one("secretsmanager/secretVersion:SecretVersion", "redis")["inputs"]["secretString"]
    )
    assert url["url"].startswith(f"rediss://:{cache['inputs']['authToken']}@")
    assert "authToken" in cache["secrets"]


def test_the_document_store_s_uri_asks_for_tls_and_no_retryable_writes(programs):
    version = programs["prod"].resources.one("secretsmanager/secretVersion:SecretVersion", "prod-mongo")
    uri = json.loads(version["inputs"]["secretString"])["uri"]
    assert uri.startswith("mongodb://ticketly:")
    assert "tls=true" in uri
    assert "retryWrites=false" in uri


def test_an_external_document_store_is_a_place_for_a_uri(recorded, scope_of):
    scope = scope_of("prod", documents='{"kind": "external"}')

    def build():
        secrets = Secrets(SecretsArgs(scope, KEY))
        DocumentStore(DocumentStoreArgs(scope, "vpc-1", [], KEY, {}, secrets))

    made = recorded(build, "prod").resources
    assert [one["name"] for one in made.of("secretsmanager/secret:Secret")] == ["ticketly-prod-mongo"]
    assert made.of("secretsmanager/secretVersion:SecretVersion", "docdb/cluster:Cluster") == []


def test_a_cache_of_two_nodes_still_spans_zones(recorded, scope_of):
    scope = scope_of("prod", cache='{"nodes": 2}')
    made = recorded(lambda: Cache(CacheArgs(scope, "vpc-1", [], KEY, {}, Secrets(SecretsArgs(scope, KEY)))), "prod")
    group = made.resources.one("elasticache/replicationGroup:ReplicationGroup")["inputs"]
    assert (group["numCacheClusters"], group["multiAzEnabled"], group["automaticFailoverEnabled"]) == (2, True, True)


# Keycloak, mail, names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("profile", "tasks"), [("dev", 1), ("prod", 2)])
def test_keycloak_gets_every_secret_by_reference(programs, profile, tasks):
    resources = programs[profile].resources
    (container,) = json.loads(
        resources.one("ecs/taskDefinition:TaskDefinition", "identity")["inputs"]["containerDefinitions"]
    )
    given = {one["name"]: one["valueFrom"] for one in container["secrets"]}
    assert {"KC_DB_PASSWORD", "KC_BOOTSTRAP_ADMIN_PASSWORD"} <= set(given)
    assert {identity.client_variable(client) for client in identity.CLIENTS} <= set(given)
    assert all(value.startswith("arn:aws:secretsmanager:") and value.endswith("::") for value in given.values())
    url = next(one["value"] for one in container["environment"] if one["name"] == "KC_DB_URL")
    assert "sslmode=verify-full" in url
    assert resources.one("ecs/service:Service")["inputs"]["desiredCount"] == tasks


def test_mail_is_signed_and_its_login_may_send_from_one_address(programs):
    resources = programs["prod"].resources
    dkim = [one for one in resources.of("route53/record:Record") if "dkim" in one["name"]]
    assert len(dkim) == 3
    dmarc = resources.one("route53/record:Record", "mail-dmarc")["inputs"]["records"]
    assert dmarc[0].startswith("v=DMARC1; p=quarantine")
    (statement,) = statements(resources.one("iam/policy:Policy"))
    assert statement["Action"] == "ses:SendRawEmail"
    assert statement["Condition"] == {"StringEquals": {"ses:FromAddress": "tickets@tickets.example.com"}}


def test_a_zone_that_is_there_is_taken(recorded, scope_of):
    scope = scope_of("dev", hostedZoneId="Z0123456789ABC")
    made = recorded(lambda: Domains(DomainsArgs(scope))).resources
    assert made.of("route53/zone:Zone") == []
    assert {one["inputs"]["zoneId"] for one in made.of("route53/record:Record")} == {"Z0123456789ABC"}


# watching ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_lag_slots_disk_dead_letters_and_money_are_watched_and_somebody_hears(programs, profile):
    resources = programs[profile].resources
    topic = resources.one("sns/topic:Topic")["outputs"]["arn"]
    found = {
        one["name"].removeprefix(f"ticketly-{profile}-"): one["inputs"]
        for one in resources.of("cloudwatch/metricAlarm:MetricAlarm")
    }
    wanted = {"capture-lag", "slot-wal", "slot-disk", "database-disk", "server-errors", "no-ingress", "no-identity"}
    wanted |= {f"dead-letters-{name}" for name in queues.NAMES}
    wanted |= {"consumer-lag", "kafka-disk"} if profile == "prod" else {"data-disk", "data-node"}
    assert wanted <= set(found)
    assert all(one["alarmActions"] == [topic] and one["alarmDescription"] for one in found.values())
    assert resources.one("sns/topicSubscription:TopicSubscription")["inputs"]["endpoint"] == "ops@example.com"
    budget = resources.one("budgets/budget:Budget")["inputs"]
    assert {one["notificationType"] for one in budget["notifications"]} == {"ACTUAL", "FORECASTED"}
    boards = {one["name"].rpartition("-")[2] for one in resources.of("cloudwatch/dashboard:Dashboard")}
    assert boards == {"balancer", "database", "firewall"}


def test_every_metric_of_a_dashboard_has_whole_dimensions(programs):
    for board in programs["prod"].resources.of("cloudwatch/dashboard:Dashboard"):
        for widget in json.loads(board["inputs"]["dashboardBody"])["widgets"]:
            for metric in widget["properties"]["metrics"]:
                assert len(metric) >= 4
                assert len(metric) % 2 == 0
                assert all(isinstance(part, str) and part for part in metric)


# documents --------------------------------------------------------------------------------------------------------


def test_a_policy_text_is_the_same_each_time():
    one = documents.policy(documents.allow(("b:Y", "a:X"), ["r2", "r1"], sid="S"))
    assert one == documents.policy(documents.allow(("b:Y", "a:X"), ["r2", "r1"], sid="S"))
    assert json.loads(one)["Statement"][0]["Resource"] == ["r2", "r1"]
