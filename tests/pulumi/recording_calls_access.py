"""Translations of what guards and watches: roles, keys, secrets, images, names, logs, alarms, brokers, clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recording_calls import REPLAYED, TRANSLATIONS, VALIDATED, Call, Steps, Taken, given, pascal, plain, translates


@translates("aws:iam/role:Role")
def role(taken: Taken) -> Steps:
    taken.ignore("forceDetachPolicies")
    name = taken.get("name") or taken.get("namePrefix") or "role"
    parameters = given(
        RoleName=name,
        AssumeRolePolicyDocument=taken["assumeRolePolicy"],
        Description=taken.get("description"),
        MaxSessionDuration=taken.get("maxSessionDuration"),
        PermissionsBoundary=taken.get("permissionsBoundary"),
        Path=taken.get("path"),
    )
    answer = yield Call("iam", "create_role", parameters)
    for policy in taken.get("inlinePolicies", []):
        inline = {"RoleName": name, "PolicyName": policy["name"], "PolicyDocument": policy["policy"]}
        yield Call("iam", "put_role_policy", inline)
    for policy_arn in taken.get("managedPolicyArns", []):
        yield Call("iam", "attach_role_policy", {"RoleName": name, "PolicyArn": policy_arn})
    return {"id": name, "name": name, "arn": answer["Role"]["Arn"]}


@translates("aws:iam/rolePolicy:RolePolicy")
def role_policy(taken: Taken) -> Steps:
    name = taken.get("name") or "inline"
    parameters = {"RoleName": taken["role"], "PolicyName": name, "PolicyDocument": taken["policy"]}
    yield Call("iam", "put_role_policy", parameters)
    return {}


@translates("aws:iam/policy:Policy")
def policy(taken: Taken) -> Steps:
    parameters = given(
        PolicyName=taken.get("name") or "policy", PolicyDocument=taken["policy"], Description=taken.get("description")
    )
    answer = yield Call("iam", "create_policy", parameters)
    return {"id": answer["Policy"]["Arn"], "arn": answer["Policy"]["Arn"]}


@translates("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
def role_policy_attachment(taken: Taken) -> Steps:
    yield Call("iam", "attach_role_policy", {"RoleName": taken["role"], "PolicyArn": taken["policyArn"]})
    return {}


@translates("aws:iam/instanceProfile:InstanceProfile")
def instance_profile(taken: Taken) -> Steps:
    name = taken.get("name") or "profile"
    answer = yield Call("iam", "create_instance_profile", {"InstanceProfileName": name})
    yield Call("iam", "add_role_to_instance_profile", {"InstanceProfileName": name, "RoleName": taken["role"]})
    return {"id": name, "name": name, "arn": answer["InstanceProfile"]["Arn"]}


@translates("aws:kms/key:Key")
def key(taken: Taken) -> Steps:
    taken.ignore("deletionWindowInDays", "bypassPolicyLockoutSafetyCheck")
    parameters = given(
        Description=taken.get("description"),
        Policy=taken.get("policy"),
        KeyUsage=taken.get("keyUsage"),
        MultiRegion=taken.get("multiRegion"),
    )
    answer = yield Call("kms", "create_key", parameters)
    found = answer["KeyMetadata"]
    if taken.get("enableKeyRotation"):
        yield Call("kms", "enable_key_rotation", {"KeyId": found["KeyId"]})
    return {"id": found["KeyId"], "keyId": found["KeyId"], "arn": found["Arn"]}


@translates("aws:kms/alias:Alias")
def alias(taken: Taken) -> Steps:
    yield Call("kms", "create_alias", {"AliasName": taken["name"], "TargetKeyId": taken["targetKeyId"]})
    return {"id": taken["name"], "name": taken["name"]}


@translates("aws:secretsmanager/secret:Secret")
def secret(taken: Taken) -> Steps:
    taken.ignore("recoveryWindowInDays", "forceOverwriteReplicaSecret")
    parameters = given(
        Name=taken.get("name") or taken.get("namePrefix"),
        Description=taken.get("description"),
        KmsKeyId=taken.get("kmsKeyId"),
    )
    answer = yield Call("secretsmanager", "create_secret", parameters)
    return {"id": answer["ARN"], "arn": answer["ARN"], "name": answer["Name"]}


@translates("aws:secretsmanager/secretVersion:SecretVersion")
def secret_version(taken: Taken) -> Steps:
    parameters = given(
        SecretId=taken["secretId"], SecretString=taken.get("secretString"), VersionStages=taken.get("versionStages")
    )
    answer = yield Call("secretsmanager", "put_secret_value", parameters)
    return {"id": answer["VersionId"], "arn": answer["ARN"]}


@translates("aws:ecr/repository:Repository")
def repository(taken: Taken) -> Steps:
    taken.ignore("forceDelete")
    encryption = (taken.get("encryptionConfigurations") or [None])[0]
    scanning = taken.get("imageScanningConfiguration")
    parameters = given(
        repositoryName=taken["name"],
        imageTagMutability=taken.get("imageTagMutability"),
        imageScanningConfiguration=scanning and {"scanOnPush": scanning["scanOnPush"]},
        encryptionConfiguration=encryption and given(
            encryptionType=encryption["encryptionType"], kmsKey=encryption.get("kmsKey")
        ),
    )  # fmt: skip
    answer = yield Call("ecr", "create_repository", parameters)
    made = answer["repository"]
    return {"id": taken["name"], "name": taken["name"], "arn": made["repositoryArn"], "url": made["repositoryUri"]}


@translates("aws:ecr/lifecyclePolicy:LifecyclePolicy")
def image_life_cycle(taken: Taken) -> Steps:
    parameters = {"repositoryName": taken["repository"], "lifecyclePolicyText": taken["policy"]}
    yield Call("ecr", "put_lifecycle_policy", parameters)
    return {}


@translates("aws:route53/zone:Zone")
def zone(taken: Taken) -> Steps:
    taken.ignore("forceDestroy")
    parameters = {"Name": taken["name"], "CallerReference": taken["name"]}
    if taken.get("comment"):
        parameters["HostedZoneConfig"] = {"Comment": taken["comment"]}
    answer = yield Call("route53", "create_hosted_zone", parameters)
    found = answer["HostedZone"]["Id"].rpartition("/")[2]
    return {"id": found, "zoneId": found}


@translates("aws:route53/record:Record")
def dns_record(taken: Taken) -> Steps:
    taken.ignore("allowOverwrite")
    found = {"Name": taken["name"], "Type": taken["type"]}
    if taken.get("ttl") is not None:
        found["TTL"] = taken["ttl"]
    if taken.get("records"):
        found["ResourceRecords"] = [{"Value": one} for one in taken["records"]]
    for target in taken.get("aliases", []):
        found["AliasTarget"] = {
            "DNSName": target["name"],
            "HostedZoneId": target["zoneId"],
            "EvaluateTargetHealth": target["evaluateTargetHealth"],
        }
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": found}]}
    yield Call("route53", "change_resource_record_sets", {"HostedZoneId": taken["zoneId"], "ChangeBatch": batch})
    return {}


@translates("aws:cloudwatch/logGroup:LogGroup")
def log_group(taken: Taken) -> Steps:
    taken.ignore("skipDestroy")
    name = taken.get("name") or taken.get("namePrefix")
    parameters = given(logGroupName=name, kmsKeyId=taken.get("kmsKeyId"), logGroupClass=taken.get("logGroupClass"))
    yield Call("logs", "create_log_group", parameters)
    if taken.get("retentionInDays"):
        kept = {"logGroupName": name, "retentionInDays": taken["retentionInDays"]}
        yield Call("logs", "put_retention_policy", kept)
    return {"id": name, "name": name, "arn": f"arn:aws:logs:ap-south-1:123456789012:log-group:{name}"}


@translates("aws:cloudwatch/metricAlarm:MetricAlarm")
def alarm(taken: Taken) -> Steps:
    name = taken.get("name") or "alarm"
    parameters = given(
        AlarmName=name,
        AlarmDescription=taken.get("alarmDescription"),
        ComparisonOperator=taken["comparisonOperator"],
        EvaluationPeriods=taken["evaluationPeriods"],
        DatapointsToAlarm=taken.get("datapointsToAlarm"),
        MetricName=taken.get("metricName"),
        Namespace=taken.get("namespace"),
        Period=taken.get("period"),
        Statistic=taken.get("statistic"),
        ExtendedStatistic=taken.get("extendedStatistic"),
        Threshold=taken.get("threshold"),
        TreatMissingData=taken.get("treatMissingData"),
        Unit=taken.get("unit"),
        AlarmActions=taken.get("alarmActions"),
        OKActions=taken.get("okActions"),
        Metrics=pascal(taken.get("metricQueries")),
        Dimensions=[{"Name": one, "Value": value} for one, value in taken.get("dimensions", {}).items()] or None,
    )
    yield Call("cloudwatch", "put_metric_alarm", parameters)
    return {"id": name}


TRANSLATIONS["aws:cloudwatch/dashboard:Dashboard"] = (
    REPLAYED,
    plain("cloudwatch", "put_dashboard", {"dashboardName": "DashboardName", "dashboardBody": "DashboardBody"}, {}),
)


@translates("aws:sns/topic:Topic")
def topic(taken: Taken) -> Steps:
    names = {"kmsMasterKeyId": "KmsMasterKeyId", "displayName": "DisplayName", "policy": "Policy"}
    attributes = given(**{parameter: taken.get(name) for name, parameter in names.items()})
    answer = yield Call("sns", "create_topic", {"Name": taken.get("name") or "topic", "Attributes": attributes})
    return {"id": answer["TopicArn"], "arn": answer["TopicArn"]}


@translates("aws:sns/topicPolicy:TopicPolicy")
def topic_policy(taken: Taken) -> Steps:
    parameters = {"TopicArn": taken["arn"], "AttributeName": "Policy", "AttributeValue": taken["policy"]}
    yield Call("sns", "set_topic_attributes", parameters)
    return {}


TRANSLATIONS["aws:sns/topicSubscription:TopicSubscription"] = (
    REPLAYED,
    plain(
        "sns",
        "subscribe",
        {"topic": "TopicArn", "protocol": "Protocol", "endpoint": "Endpoint"},
        {"arn": "SubscriptionArn"},
    ),
)


def _authentication(given_ways: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if given_ways is None:
        return None
    sasl = {name.capitalize(): {"Enabled": value} for name, value in (given_ways.get("sasl") or {}).items()}
    found: dict[str, Any] = {"Sasl": sasl} if sasl else {}
    if given_ways.get("unauthenticated") is not None:
        found["Unauthenticated"] = {"Enabled": given_ways["unauthenticated"]}
    if given_ways.get("tls"):
        found["Tls"] = {"CertificateAuthorityArnList": given_ways["tls"]["certificateAuthorityArns"]}
    return found


@translates("aws:msk/cluster:Cluster")
def brokers(taken: Taken) -> Steps:
    nodes = taken["brokerNodeGroupInfo"]
    known = {"instanceType", "clientSubnets", "securityGroups", "storageInfo", "azDistribution", "connectivityInfo"}
    assert set(nodes) <= known, f"broker fields that nothing takes: {sorted(set(nodes) - known)}"
    found = {
        "InstanceType": nodes["instanceType"],
        "ClientSubnets": nodes["clientSubnets"],
        "SecurityGroups": nodes["securityGroups"],
        **given(StorageInfo=pascal(nodes.get("storageInfo"), ebsStorageInfo="EbsStorageInfo")),
    }
    encryption = taken.get("encryptionInfo")
    at_rest = encryption and encryption.get("encryptionAtRestKmsKeyArn")
    in_transit = encryption and encryption.get("encryptionInTransit")
    configuration = taken.get("configurationInfo")
    parameters = given(
        ClusterName=taken.get("clusterName") or "ticketly",
        KafkaVersion=taken["kafkaVersion"],
        NumberOfBrokerNodes=taken["numberOfBrokerNodes"],
        BrokerNodeGroupInfo=found,
        EncryptionInfo=encryption and given(
            EncryptionAtRest={"DataVolumeKMSKeyId": at_rest} if at_rest else None,
            EncryptionInTransit=pascal(in_transit) if in_transit else None,
        ),
        ClientAuthentication=_authentication(taken.get("clientAuthentication")),
        ConfigurationInfo=configuration and {"Arn": configuration["arn"], "Revision": configuration["revision"]},
        EnhancedMonitoring=taken.get("enhancedMonitoring"),
        LoggingInfo=pascal(taken.get("loggingInfo"), s3="S3", cloudwatchLogs="CloudWatchLogs"),
        OpenMonitoring=pascal(taken.get("openMonitoring")),
    )  # fmt: skip
    answer = yield Call("kafka", "create_cluster", parameters)
    return {"id": answer["ClusterArn"], "arn": answer["ClusterArn"]}


@translates("aws:msk/configuration:Configuration", how=VALIDATED)
def broker_configuration(taken: Taken) -> Steps:
    parameters = given(
        Name=taken.get("name") or "ticketly",
        KafkaVersions=taken.get("kafkaVersions"),
        ServerProperties=taken["serverProperties"].encode(),
    )
    answer = yield Call("kafka", "create_configuration", parameters)
    return {"id": answer["Arn"], "arn": answer["Arn"]}


@translates("aws:ec2/instance:Instance")
def instance(taken: Taken) -> Steps:
    taken.ignore("userDataReplaceOnChange", "rootBlockDevice", "disableApiTermination", "monitoring")
    options = taken.get("metadataOptions")
    profile = taken.get("iamInstanceProfile")
    parameters = given(
        ImageId=taken["ami"],
        InstanceType=taken["instanceType"],
        MinCount=1,
        MaxCount=1,
        SubnetId=taken.get("subnetId"),
        SecurityGroupIds=taken.get("vpcSecurityGroupIds"),
        IamInstanceProfile={"Name": profile} if profile else None,
        MetadataOptions=pascal(options) if options else None,
        UserData=taken.get("userData") or taken.get("userDataBase64"),
    )
    associate = taken.get("associatePublicIpAddress")
    assert associate in {None, False}, "a public address is not wanted"
    answer = yield Call("ec2", "run_instances", parameters)
    return {"id": answer["Instances"][0]["InstanceId"]}


@translates("aws:eks/cluster:Cluster")
def kubernetes(taken: Taken) -> Steps:
    taken.ignore("bootstrapSelfManagedAddons", "deletionProtection")
    network = taken["vpcConfig"]
    encryption = taken.get("encryptionConfig")
    parameters = given(
        name=taken.get("name") or "ticketly",
        roleArn=taken["roleArn"],
        version=taken.get("version"),
        resourcesVpcConfig=dict(network),
        encryptionConfig=[
            {"resources": encryption["resources"], "provider": {"keyArn": encryption["provider"]["keyArn"]}}
        ]
        if encryption
        else None,
        accessConfig=taken.get("accessConfig"),
        kubernetesNetworkConfig=taken.get("kubernetesNetworkConfig"),
        upgradePolicy=taken.get("upgradePolicy"),
        logging={"clusterLogging": [{"types": taken.get("enabledClusterLogTypes"), "enabled": True}]}
        if taken.get("enabledClusterLogTypes")
        else None,
    )
    answer = yield Call("eks", "create_cluster", parameters)
    return {"id": parameters["name"], "name": parameters["name"], "arn": answer["cluster"]["arn"]}


@translates("aws:eks/podIdentityAssociation:PodIdentityAssociation", how=VALIDATED)
def pod_identity(taken: Taken) -> Steps:
    fields = ("clusterName", "namespace", "serviceAccount", "roleArn")
    answer = yield Call("eks", "create_pod_identity_association", {name: taken[name] for name in fields})
    return {"id": answer["association"]["associationId"]}
