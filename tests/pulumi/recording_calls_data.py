"""Translations of what keeps data: databases, caches, queues, schedules, buckets."""

from __future__ import annotations

from recording_calls import REPLAYED, TRANSLATIONS, Call, Steps, Taken, given, pascal, plain, translates

# data stores ------------------------------------------------------------------------------------------------------


@translates("aws:rds/subnetGroup:SubnetGroup")
def rds_subnet_group(taken: Taken) -> Steps:
    name = taken.get("name") or "ticketly"
    parameters = {
        "DBSubnetGroupName": name,
        "DBSubnetGroupDescription": taken.get("description", "subnets"),
        "SubnetIds": taken["subnetIds"],
    }
    answer = yield Call("rds", "create_db_subnet_group", parameters)
    return {"id": name, "name": name, "arn": answer["DBSubnetGroup"]["DBSubnetGroupArn"]}


@translates("aws:rds/parameterGroup:ParameterGroup")
def rds_parameter_group(taken: Taken) -> Steps:
    name = taken.get("name") or taken.get("namePrefix") or "ticketly"
    parameters = {
        "DBParameterGroupName": name,
        "DBParameterGroupFamily": taken["family"],
        "Description": taken.get("description", "parameters"),
    }
    answer = yield Call("rds", "create_db_parameter_group", parameters)
    settings = [
        {
            "ParameterName": one["name"],
            "ParameterValue": one["value"],
            "ApplyMethod": one.get("applyMethod", "immediate"),
        }
        for one in taken.get("parameters", [])
    ]
    yield Call("rds", "modify_db_parameter_group", {"DBParameterGroupName": name, "Parameters": settings})
    return {"id": name, "name": name, "arn": answer["DBParameterGroup"]["DBParameterGroupArn"]}


@translates("aws:rds/instance:Instance")
def rds_instance(taken: Taken) -> Steps:
    taken.ignore("finalSnapshotIdentifier", "skipFinalSnapshot", "applyImmediately", "allowMajorVersionUpgrade")
    taken.ignore("deleteAutomatedBackups")
    fields = {
        "identifier": "DBInstanceIdentifier", "engine": "Engine", "engineVersion": "EngineVersion",
        "instanceClass": "DBInstanceClass", "allocatedStorage": "AllocatedStorage", "storageType": "StorageType",
        "maxAllocatedStorage": "MaxAllocatedStorage", "storageEncrypted": "StorageEncrypted", "kmsKeyId": "KmsKeyId",
        "username": "MasterUsername", "password": "MasterUserPassword", "dbName": "DBName", "multiAz": "MultiAZ",
        "manageMasterUserPassword": "ManageMasterUserPassword", "masterUserSecretKmsKeyId": "MasterUserSecretKmsKeyId",
        "dbSubnetGroupName": "DBSubnetGroupName", "vpcSecurityGroupIds": "VpcSecurityGroupIds", "port": "Port",
        "parameterGroupName": "DBParameterGroupName", "publiclyAccessible": "PubliclyAccessible",
        "backupRetentionPeriod": "BackupRetentionPeriod", "backupWindow": "PreferredBackupWindow",
        "maintenanceWindow": "PreferredMaintenanceWindow", "deletionProtection": "DeletionProtection",
        "performanceInsightsEnabled": "EnablePerformanceInsights",
        "performanceInsightsKmsKeyId": "PerformanceInsightsKMSKeyId",
        "performanceInsightsRetentionPeriod": "PerformanceInsightsRetentionPeriod",
        "monitoringInterval": "MonitoringInterval", "monitoringRoleArn": "MonitoringRoleArn",
        "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports", "copyTagsToSnapshot": "CopyTagsToSnapshot",
        "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade", "caCertIdentifier": "CACertificateIdentifier",
        "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    }  # fmt: skip
    found = given(**{parameter: taken.get(name) for name, parameter in fields.items()})
    found.setdefault("DBInstanceIdentifier", "ticketly")
    answer = yield Call("rds", "create_db_instance", found)
    return {"id": found["DBInstanceIdentifier"], "arn": answer["DBInstance"]["DBInstanceArn"]}


@translates("aws:elasticache/subnetGroup:SubnetGroup")
def cache_subnet_group(taken: Taken) -> Steps:
    name = taken.get("name") or "ticketly"
    parameters = {
        "CacheSubnetGroupName": name,
        "CacheSubnetGroupDescription": taken.get("description", "subnets"),
        "SubnetIds": taken["subnetIds"],
    }
    yield Call("elasticache", "create_cache_subnet_group", parameters)
    return {"id": name, "name": name}


@translates("aws:elasticache/replicationGroup:ReplicationGroup")
def cache(taken: Taken) -> Steps:
    taken.ignore("applyImmediately", "authTokenUpdateStrategy")
    fields = {
        "replicationGroupId": "ReplicationGroupId", "description": "ReplicationGroupDescription", "engine": "Engine",
        "engineVersion": "EngineVersion", "nodeType": "CacheNodeType", "numCacheClusters": "NumCacheClusters",
        "automaticFailoverEnabled": "AutomaticFailoverEnabled", "multiAzEnabled": "MultiAZEnabled", "port": "Port",
        "subnetGroupName": "CacheSubnetGroupName", "securityGroupIds": "SecurityGroupIds", "authToken": "AuthToken",
        "atRestEncryptionEnabled": "AtRestEncryptionEnabled", "transitEncryptionEnabled": "TransitEncryptionEnabled",
        "kmsKeyId": "KmsKeyId", "snapshotRetentionLimit": "SnapshotRetentionLimit",
        "snapshotWindow": "SnapshotWindow", "maintenanceWindow": "PreferredMaintenanceWindow",
        "parameterGroupName": "CacheParameterGroupName", "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
        "transitEncryptionMode": "TransitEncryptionMode",
    }  # fmt: skip
    found = given(**{parameter: taken.get(name) for name, parameter in fields.items()})
    if isinstance(found.get("AutoMinorVersionUpgrade"), str):
        found["AutoMinorVersionUpgrade"] = found["AutoMinorVersionUpgrade"] == "true"
    found.setdefault("ReplicationGroupId", "ticketly")
    answer = yield Call("elasticache", "create_replication_group", found)
    return {"id": found["ReplicationGroupId"], "arn": answer["ReplicationGroup"]["ARN"]}


# queues and schedules ---------------------------------------------------------------------------------------------


@translates("aws:sqs/queue:Queue")
def queue(taken: Taken) -> Steps:
    fields = {
        "visibilityTimeoutSeconds": "VisibilityTimeout", "messageRetentionSeconds": "MessageRetentionPeriod",
        "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds", "delaySeconds": "DelaySeconds",
        "maxMessageSize": "MaximumMessageSize", "redrivePolicy": "RedrivePolicy", "kmsMasterKeyId": "KmsMasterKeyId",
        "redriveAllowPolicy": "RedriveAllowPolicy", "sqsManagedSseEnabled": "SqsManagedSseEnabled", "policy": "Policy",
        "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    }  # fmt: skip
    found = given(**{parameter: taken.get(name) for name, parameter in fields.items()})
    attributes = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in found.items()}
    answer = yield Call("sqs", "create_queue", {"QueueName": taken.get("name") or "queue", "Attributes": attributes})
    url = answer["QueueUrl"]
    told = yield Call("sqs", "get_queue_attributes", {"QueueUrl": url, "AttributeNames": ["QueueArn"]})
    return {"id": url, "url": url, "arn": told["Attributes"]["QueueArn"]}


@translates("aws:sqs/queuePolicy:QueuePolicy")
def queue_policy(taken: Taken) -> Steps:
    attributes = {"Policy": taken["policy"]}
    yield Call("sqs", "set_queue_attributes", {"QueueUrl": taken["queueUrl"], "Attributes": attributes})
    return {}


@translates("aws:sqs/redriveAllowPolicy:RedriveAllowPolicy")
def redrive_allow_policy(taken: Taken) -> Steps:
    attributes = {"RedriveAllowPolicy": taken["redriveAllowPolicy"]}
    yield Call("sqs", "set_queue_attributes", {"QueueUrl": taken["queueUrl"], "Attributes": attributes})
    return {}


TRANSLATIONS["aws:scheduler/scheduleGroup:ScheduleGroup"] = (
    REPLAYED,
    plain("scheduler", "create_schedule_group", {"name": "Name"}, {"arn": "ScheduleGroupArn"}),
)


@translates("aws:scheduler/schedule:Schedule")
def schedule(taken: Taken) -> Steps:
    window = taken["flexibleTimeWindow"]
    target = pascal(taken["target"])
    parameters = given(
        Name=taken.get("name") or "schedule",
        GroupName=taken.get("groupName"),
        ScheduleExpression=taken["scheduleExpression"],
        ScheduleExpressionTimezone=taken.get("scheduleExpressionTimezone"),
        FlexibleTimeWindow=pascal(window, maximumWindowInMinutes="MaximumWindowInMinutes"),
        State=taken.get("state"),
        Description=taken.get("description"),
        KmsKeyArn=taken.get("kmsKeyArn"),
        Target=target,
    )
    answer = yield Call("scheduler", "create_schedule", parameters)
    return {"arn": answer["ScheduleArn"]}


# storage ----------------------------------------------------------------------------------------------------------


@translates("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
def bucket(taken: Taken) -> Steps:
    taken.ignore("forceDestroy")
    name = taken.get("bucket") or taken.get("bucketPrefix", "") + "ticketly-replayed"
    where = {"LocationConstraint": "ap-south-1"}
    yield Call("s3", "create_bucket", {"Bucket": name, "CreateBucketConfiguration": where})
    return {"id": name, "bucket": name, "arn": f"arn:aws:s3:::{name}"}


@translates("aws:s3/bucketVersioning:BucketVersioning", "aws:s3/bucketVersioningV2:BucketVersioningV2")
def bucket_versioning(taken: Taken) -> Steps:
    settings = pascal(taken["versioningConfiguration"])
    yield Call("s3", "put_bucket_versioning", {"Bucket": taken["bucket"], "VersioningConfiguration": settings})
    return {}


_SSE = "ServerSideEncryptionConfiguration"


@translates(f"aws:s3/bucket{_SSE}:Bucket{_SSE}", f"aws:s3/bucket{_SSE}V2:Bucket{_SSE}V2")
def bucket_encryption(taken: Taken) -> Steps:
    rules = pascal(taken["rules"], sseAlgorithm="SSEAlgorithm", kmsMasterKeyId="KMSMasterKeyID")
    parameters = {"Bucket": taken["bucket"], _SSE: {"Rules": rules}}
    yield Call("s3", "put_bucket_encryption", parameters)
    return {}


@translates("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
def bucket_block(taken: Taken) -> Steps:
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    settings = pascal({name: taken[name] for name in names})
    parameters = {"Bucket": taken["bucket"], "PublicAccessBlockConfiguration": settings}
    yield Call("s3", "put_public_access_block", parameters)
    return {}


@translates("aws:s3/bucketOwnershipControls:BucketOwnershipControls")
def bucket_ownership(taken: Taken) -> Steps:
    controls = {"Rules": [pascal(taken["rule"])]}
    yield Call("s3", "put_bucket_ownership_controls", {"Bucket": taken["bucket"], "OwnershipControls": controls})
    return {}


@translates(
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
)
def bucket_life_cycle(taken: Taken) -> Steps:
    rules = []
    for rule in taken["rules"]:
        found = pascal(rule, id="ID", abortIncompleteMultipartUpload="AbortIncompleteMultipartUpload")
        found.setdefault("Filter", {"Prefix": ""})
        for name in [name for name in found if name.startswith("Noncurrent")]:
            value = found[name] if isinstance(found[name], list) else [found[name]]
            found[name] = value if name.endswith("s") else value[0]
        if "Transitions" in found and not isinstance(found["Transitions"], list):
            found["Transitions"] = [found["Transitions"]]
        rules.append(found)
    parameters = {"Bucket": taken["bucket"], "LifecycleConfiguration": {"Rules": rules}}
    yield Call("s3", "put_bucket_lifecycle_configuration", parameters)
    return {}


@translates("aws:s3/bucketPolicy:BucketPolicy")
def bucket_policy(taken: Taken) -> Steps:
    yield Call("s3", "put_bucket_policy", {"Bucket": taken["bucket"], "Policy": taken["policy"]})
    return {}
