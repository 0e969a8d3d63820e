"""Translations of machines, containers, mail, content, and of what the stores' own modules do not hold."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from recording_calls import TRANSLATIONS, VALIDATED, Call, LeftOverError, Steps, Taken, given, pascal, plain, translates

# machines and their disks -----------------------------------------------------------------------------------------


@translates("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
def default_group(taken: Taken) -> Steps:
    """The provider takes the group that is there and takes its rules away."""
    found = {"Filters": [{"Name": "vpc-id", "Values": [taken["vpcId"]]}, {"Name": "group-name", "Values": ["default"]}]}
    answer = yield Call("ec2", "describe_security_groups", found)
    group = answer["SecurityGroups"][0]
    for direction, key in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress")):
        if taken.get(direction, []):
            raise LeftOverError(f"{direction} rules of a default group")
        if group[key]:
            parameters = {"GroupId": group["GroupId"], "IpPermissions": group[key]}
            yield Call("ec2", f"revoke_security_group_{direction}", parameters)
    return {"id": group["GroupId"]}


@translates("aws:ebs/volume:Volume")
def volume(taken: Taken) -> Steps:
    parameters = given(
        AvailabilityZone=taken["availabilityZone"],
        Size=taken["size"],
        VolumeType=taken.get("type"),
        Encrypted=taken.get("encrypted"),
        KmsKeyId=taken.get("kmsKeyId"),
    )
    answer = yield Call("ec2", "create_volume", parameters)
    return {"id": answer["VolumeId"]}


@translates("aws:ec2/volumeAttachment:VolumeAttachment")
def volume_attachment(taken: Taken) -> Steps:
    taken.ignore("stopInstanceBeforeDetaching")
    parameters = {"Device": taken["deviceName"], "InstanceId": taken["instanceId"], "VolumeId": taken["volumeId"]}
    yield Call("ec2", "attach_volume", parameters)
    return {}


def _template_disk(mapping: Mapping[str, Any]) -> dict[str, Any]:
    found = pascal(mapping)
    # the provider knows a third answer beside yes and no, so it takes texts
    for name in ("Encrypted", "DeleteOnTermination"):
        if isinstance(found["Ebs"].get(name), str):
            found["Ebs"][name] = found["Ebs"][name] == "true"
    return found


@translates("aws:ec2/launchTemplate:LaunchTemplate")
def launch_template(taken: Taken) -> Steps:
    profile, data = taken.get("iamInstanceProfile"), taken.get("userData")
    if data is not None:
        base64.b64decode(data, validate=True)
    template = given(
        ImageId=taken.get("imageId"),
        InstanceType=taken.get("instanceType"),
        SecurityGroupIds=taken.get("vpcSecurityGroupIds"),
        IamInstanceProfile={"Name": profile["name"]} if profile else None,
        MetadataOptions=pascal(taken.get("metadataOptions")),
        Monitoring=pascal(taken.get("monitoring")),
        BlockDeviceMappings=[_template_disk(one) for one in taken.get("blockDeviceMappings", [])] or None,
        UserData=data,
        TagSpecifications=[
            {
                "ResourceType": one["resourceType"],
                "Tags": [{"Key": key, "Value": value} for key, value in one["tags"].items()],
            }
            for one in taken.get("tagSpecifications", [])
        ]
        or None,
    )
    parameters = given(
        LaunchTemplateName=taken["name"], VersionDescription=taken.get("description"), LaunchTemplateData=template
    )
    answer = yield Call("ec2", "create_launch_template", parameters)
    return {"id": answer["LaunchTemplate"]["LaunchTemplateId"], "latestVersion": "1"}


@translates("aws:autoscaling/group:Group")
def scaling_group(taken: Taken) -> Steps:
    refresh = taken.get("instanceRefresh")
    if refresh is not None and set(refresh) - {"strategy", "preferences", "triggers"}:
        raise LeftOverError(f"fields of a refresh: {sorted(refresh)}")
    template = taken["launchTemplate"]
    parameters = given(
        AutoScalingGroupName=taken["name"],
        MinSize=taken["minSize"],
        MaxSize=taken["maxSize"],
        DesiredCapacity=taken.get("desiredCapacity"),
        VPCZoneIdentifier=",".join(taken["vpcZoneIdentifiers"]),
        TargetGroupARNs=taken.get("targetGroupArns"),
        HealthCheckType=taken.get("healthCheckType"),
        LaunchTemplate={"LaunchTemplateId": template["id"], "Version": str(template.get("version", "$Latest"))},
        Tags=[
            {"Key": one["key"], "Value": one["value"], "PropagateAtLaunch": one["propagateAtLaunch"]}
            for one in taken.get("tags", [])
        ],
    )
    yield Call("autoscaling", "create_auto_scaling_group", parameters)
    return {"id": parameters["AutoScalingGroupName"], "name": parameters["AutoScalingGroupName"]}


@translates("aws:autoscaling/attachment:Attachment", how=VALIDATED)
def attachment(taken: Taken) -> Steps:
    """Not sent: the emulator makes no machines for a node group, so the group that EKS would make is not there."""
    parameters = {
        "AutoScalingGroupName": taken["autoscalingGroupName"],
        "TargetGroupARNs": [taken["lbTargetGroupArn"]],
    }
    yield Call("autoscaling", "attach_load_balancer_target_groups", parameters)
    return {}


@translates("aws:dlm/lifecyclePolicy:LifecyclePolicy", how=VALIDATED)
def snapshots(taken: Taken) -> Steps:
    details = dict(taken["policyDetails"])
    tags = [{"Key": key, "Value": value} for key, value in details.pop("targetTags").items()]
    schedules = []
    for schedule in details["schedules"]:
        found = pascal(schedule)
        found["CreateRule"]["Times"] = [found["CreateRule"]["Times"]]
        schedules.append(found)
    parameters = {
        "ExecutionRoleArn": taken["executionRoleArn"],
        "Description": taken["description"],
        "State": taken["state"],
        "PolicyDetails": {**pascal(details), "TargetTags": tags, "Schedules": schedules},
    }
    yield Call("dlm", "create_lifecycle_policy", parameters)
    return {}


# containers -------------------------------------------------------------------------------------------------------


@translates("aws:ecs/cluster:Cluster")
def container_cluster(taken: Taken) -> Steps:
    answer = yield Call("ecs", "create_cluster", {"clusterName": taken["name"], "settings": taken.get("settings", [])})
    found = answer["cluster"]["clusterArn"]
    return {"id": found, "arn": found}


@translates("aws:ecs/taskDefinition:TaskDefinition")
def task(taken: Taken) -> Steps:
    parameters = given(
        family=taken["family"],
        containerDefinitions=json.loads(taken["containerDefinitions"]),
        cpu=taken.get("cpu"),
        memory=taken.get("memory"),
        networkMode=taken.get("networkMode"),
        requiresCompatibilities=taken.get("requiresCompatibilities"),
        executionRoleArn=taken.get("executionRoleArn"),
        taskRoleArn=taken.get("taskRoleArn"),
        runtimePlatform=taken.get("runtimePlatform"),
    )
    answer = yield Call("ecs", "register_task_definition", parameters)
    found = answer["taskDefinition"]["taskDefinitionArn"]
    return {"id": found, "arn": found}


@translates("aws:ecs/service:Service")
def container_service(taken: Taken) -> Steps:
    taken.ignore("waitForSteadyState")
    network = taken["networkConfiguration"]
    parameters = given(
        serviceName=taken["name"],
        cluster=taken["cluster"],
        taskDefinition=taken["taskDefinition"],
        desiredCount=taken.get("desiredCount"),
        launchType=taken.get("launchType"),
        platformVersion=taken.get("platformVersion"),
        enableExecuteCommand=taken.get("enableExecuteCommand"),
        availabilityZoneRebalancing=taken.get("availabilityZoneRebalancing"),
        healthCheckGracePeriodSeconds=taken.get("healthCheckGracePeriodSeconds"),
        propagateTags=taken.get("propagateTags"),
        deploymentConfiguration={
            "minimumHealthyPercent": taken["deploymentMinimumHealthyPercent"],
            "maximumPercent": taken["deploymentMaximumPercent"],
            "deploymentCircuitBreaker": dict(taken["deploymentCircuitBreaker"]),
        },
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": network["subnets"],
                "securityGroups": network["securityGroups"],
                "assignPublicIp": "ENABLED" if network["assignPublicIp"] else "DISABLED",
            }
        },
        loadBalancers=taken.get("loadBalancers"),
    )
    answer = yield Call("ecs", "create_service", parameters)
    return {"id": answer["service"]["serviceArn"]}


# Kubernetes -------------------------------------------------------------------------------------------------------


@translates("aws:eks/nodeGroup:NodeGroup")
def node_group(taken: Taken) -> Steps:
    scaling, template = taken["scalingConfig"], taken.get("launchTemplate")
    parameters = given(
        nodegroupName=taken["nodeGroupName"],
        clusterName=taken["clusterName"],
        nodeRole=taken["nodeRoleArn"],
        subnets=taken["subnetIds"],
        amiType=taken.get("amiType"),
        capacityType=taken.get("capacityType"),
        instanceTypes=taken.get("instanceTypes"),
        launchTemplate={"id": template["id"], "version": str(template["version"])} if template else None,
        scalingConfig={name: scaling[name] for name in ("minSize", "maxSize", "desiredSize")},
        updateConfig=taken.get("updateConfig"),
        nodeRepairConfig=taken.get("nodeRepairConfig"),
    )
    answer = yield Call("eks", "create_nodegroup", parameters)
    return {"id": answer["nodegroup"]["nodegroupArn"]}


@translates("aws:eks/addon:Addon", how=VALIDATED)
def addon(taken: Taken) -> Steps:
    taken.ignore("resolveConflictsOnUpdate")
    values = taken.get("configurationValues")
    if values is not None:
        json.loads(values)
    parameters = given(
        clusterName=taken["clusterName"],
        addonName=taken["addonName"],
        resolveConflicts=taken.get("resolveConflictsOnCreate"),
        configurationValues=values,
    )
    yield Call("eks", "create_addon", parameters)
    return {}


TRANSLATIONS["aws:eks/accessEntry:AccessEntry"] = (
    VALIDATED,
    plain("eks", "create_access_entry", {"clusterName": "clusterName", "principalArn": "principalArn"}, {}),
)
TRANSLATIONS["aws:eks/accessPolicyAssociation:AccessPolicyAssociation"] = (
    VALIDATED,
    plain(
        "eks",
        "associate_access_policy",
        {name: name for name in ("clusterName", "principalArn", "policyArn", "accessScope")},
        {},
    ),
)

# mail -------------------------------------------------------------------------------------------------------------


@translates("aws:sesv2/configurationSet:ConfigurationSet")
def mail_settings(taken: Taken) -> Steps:
    parameters = given(
        ConfigurationSetName=taken["configurationSetName"],
        DeliveryOptions=pascal(taken.get("deliveryOptions")),
        ReputationOptions=pascal(taken.get("reputationOptions")),
        SuppressionOptions=pascal(taken.get("suppressionOptions")),
    )
    yield Call("sesv2", "create_configuration_set", parameters)
    return {"id": parameters["ConfigurationSetName"]}


@translates("aws:sesv2/configurationSetEventDestination:ConfigurationSetEventDestination", how=VALIDATED)
def mail_events(taken: Taken) -> Steps:
    parameters = {
        "ConfigurationSetName": taken["configurationSetName"],
        "EventDestinationName": taken["eventDestinationName"],
        "EventDestination": pascal(taken["eventDestination"]),
    }
    yield Call("sesv2", "create_configuration_set_event_destination", parameters)
    return {}


@translates("aws:sesv2/emailIdentity:EmailIdentity")
def mail_identity(taken: Taken) -> Steps:
    dkim = taken.get("dkimSigningAttributes")
    parameters = given(
        EmailIdentity=taken["emailIdentity"],
        ConfigurationSetName=taken.get("configurationSetName"),
        DkimSigningAttributes=pascal(dkim) if dkim else None,
    )
    yield Call("sesv2", "create_email_identity", parameters)
    return {"id": parameters["EmailIdentity"]}


@translates("aws:sesv2/emailIdentityMailFromAttributes:EmailIdentityMailFromAttributes", how=VALIDATED)
def mail_from(taken: Taken) -> Steps:
    parameters = given(
        EmailIdentity=taken["emailIdentity"],
        MailFromDomain=taken.get("mailFromDomain"),
        BehaviorOnMxFailure=taken.get("behaviorOnMxFailure"),
    )
    yield Call("sesv2", "put_email_identity_mail_from_attributes", parameters)
    return {}


# content ----------------------------------------------------------------------------------------------------------


@translates("aws:cloudfront/originAccessControl:OriginAccessControl")
def origin_access(taken: Taken) -> Steps:
    parameters = given(
        Name=taken["name"],
        Description=taken.get("description"),
        SigningProtocol=taken["signingProtocol"],
        SigningBehavior=taken["signingBehavior"],
        OriginAccessControlOriginType=taken["originAccessControlOriginType"],
    )
    answer = yield Call("cloudfront", "create_origin_access_control", {"OriginAccessControlConfig": parameters})
    return {"id": answer["OriginAccessControl"]["Id"]}


def _counted(items: list[Any]) -> dict[str, Any]:
    return {"Quantity": len(items), "Items": items}


@translates("aws:cloudfront/distribution:Distribution")
def distribution(taken: Taken) -> Steps:
    behavior, viewer = dict(taken["defaultCacheBehavior"]), dict(taken["viewerCertificate"])
    methods = {**_counted(behavior.pop("allowedMethods")), "CachedMethods": _counted(behavior.pop("cachedMethods"))}
    origins = [
        {
            "Id": one["originId"],
            "DomainName": one["domainName"],
            "OriginAccessControlId": one["originAccessControlId"],
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }
        for one in taken["origins"]
    ]
    restriction = taken["restrictions"]["geoRestriction"]
    parameters = {
        "CallerReference": "replay",
        "Aliases": _counted(taken.get("aliases", [])),
        "Comment": taken.get("comment", ""),
        "Enabled": taken["enabled"],
        "HttpVersion": taken["httpVersion"],
        "IsIPV6Enabled": taken["isIpv6Enabled"],
        "PriceClass": taken["priceClass"],
        "Origins": _counted(origins),
        "DefaultCacheBehavior": {**pascal(behavior), "AllowedMethods": methods},
        "Restrictions": {"GeoRestriction": {"RestrictionType": restriction["restrictionType"], "Quantity": 0}},
        "ViewerCertificate": pascal(viewer, acmCertificateArn="ACMCertificateArn", sslSupportMethod="SSLSupportMethod"),
    }
    answer = yield Call("cloudfront", "create_distribution", {"DistributionConfig": parameters})
    made = answer["Distribution"]
    return {"id": made["Id"], "arn": made["ARN"], "domainName": made["DomainName"]}


# what belongs to stores -------------------------------------------------------------------------------------------


@translates("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration")
def bucket_cors(taken: Taken) -> Steps:
    rules = {"CORSRules": pascal(taken["corsRules"])}
    yield Call("s3", "put_bucket_cors", {"Bucket": taken["bucket"], "CORSConfiguration": rules})
    return {}


@translates("aws:secretsmanager/secretPolicy:SecretPolicy")
def secret_policy(taken: Taken) -> Steps:
    parameters = {
        "SecretId": taken["secretArn"],
        "ResourcePolicy": taken["policy"],
        "BlockPublicPolicy": taken.get("blockPublicPolicy", False),
    }
    yield Call("secretsmanager", "put_resource_policy", parameters)
    return {}


@translates("aws:msk/scramSecretAssociation:ScramSecretAssociation", how=VALIDATED)
def broker_logins(taken: Taken) -> Steps:
    parameters = {"ClusterArn": taken["clusterArn"], "SecretArnList": taken["secretArnLists"]}
    yield Call("kafka", "batch_associate_scram_secret", parameters)
    return {}


@translates("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration")
def firewall_logs(taken: Taken) -> Steps:
    settings = given(
        ResourceArn=taken["resourceArn"],
        LogDestinationConfigs=taken["logDestinationConfigs"],
        RedactedFields=pascal(taken.get("redactedFields")),
    )
    yield Call("wafv2", "put_logging_configuration", {"LoggingConfiguration": settings})
    return {}


@translates("aws:docdb/subnetGroup:SubnetGroup", how=VALIDATED)
def documents_subnets(taken: Taken) -> Steps:
    parameters = {
        "DBSubnetGroupName": taken["name"],
        "DBSubnetGroupDescription": taken["description"],
        "SubnetIds": taken["subnetIds"],
    }
    yield Call("docdb", "create_db_subnet_group", parameters)
    return {"id": taken["name"]}


@translates("aws:docdb/clusterParameterGroup:ClusterParameterGroup", how=VALIDATED)
def documents_parameters(taken: Taken) -> Steps:
    name = taken["name"]
    parameters = {
        "DBClusterParameterGroupName": name,
        "DBParameterGroupFamily": taken["family"],
        "Description": taken["description"],
    }
    yield Call("docdb", "create_db_cluster_parameter_group", parameters)
    settings = [
        {"ParameterName": one["name"], "ParameterValue": one["value"], "ApplyMethod": one["applyMethod"]}
        for one in taken["parameters"]
    ]
    changed = {"DBClusterParameterGroupName": name, "Parameters": settings}
    yield Call("docdb", "modify_db_cluster_parameter_group", changed)
    return {"id": name}


@translates("aws:docdb/cluster:Cluster", how=VALIDATED)
def documents_cluster(taken: Taken) -> Steps:
    taken.ignore("skipFinalSnapshot", "finalSnapshotIdentifier", "applyImmediately")
    fields = {
        "clusterIdentifier": "DBClusterIdentifier", "engine": "Engine", "engineVersion": "EngineVersion",
        "masterUsername": "MasterUsername", "masterPassword": "MasterUserPassword", "port": "Port",
        "dbSubnetGroupName": "DBSubnetGroupName", "dbClusterParameterGroupName": "DBClusterParameterGroupName",
        "vpcSecurityGroupIds": "VpcSecurityGroupIds", "storageEncrypted": "StorageEncrypted", "kmsKeyId": "KmsKeyId",
        "backupRetentionPeriod": "BackupRetentionPeriod", "preferredBackupWindow": "PreferredBackupWindow",
        "preferredMaintenanceWindow": "PreferredMaintenanceWindow", "deletionProtection": "DeletionProtection",
        "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
    }  # fmt: skip
    parameters = given(**{parameter: taken.get(name) for name, parameter in fields.items()})
    yield Call("docdb", "create_db_cluster", parameters)
    return {"id": taken["clusterIdentifier"]}


@translates("aws:docdb/clusterInstance:ClusterInstance", how=VALIDATED)
def documents_instance(taken: Taken) -> Steps:
    parameters = given(
        DBInstanceIdentifier=taken["identifier"],
        DBInstanceClass=taken["instanceClass"],
        Engine=taken.get("engine", "docdb"),
        DBClusterIdentifier=taken["clusterIdentifier"],
        AutoMinorVersionUpgrade=taken.get("autoMinorVersionUpgrade"),
        CACertificateIdentifier=taken.get("caCertIdentifier"),
        EnablePerformanceInsights=taken.get("enablePerformanceInsights"),
    )
    yield Call("docdb", "create_db_instance", parameters)
    return {}


@translates("aws:budgets/budget:Budget")
def budget(taken: Taken) -> Steps:
    notifications = [
        {
            "Notification": {
                "NotificationType": one["notificationType"],
                "ComparisonOperator": one["comparisonOperator"],
                "Threshold": float(one["threshold"]),
                "ThresholdType": one["thresholdType"],
            },
            "Subscribers": [
                {"SubscriptionType": "SNS", "Address": address} for address in one["subscriberSnsTopicArns"]
            ],
        }
        for one in taken.get("notifications", [])
    ]
    parameters = {
        "AccountId": "123456789012",
        "Budget": {
            "BudgetName": taken["name"],
            "BudgetType": taken["budgetType"],
            "TimeUnit": taken["timeUnit"],
            "BudgetLimit": {"Amount": taken["limitAmount"], "Unit": taken["limitUnit"]},
            "CostFilters": {one["name"]: one["values"] for one in taken.get("costFilters", [])},
        },
        "NotificationsWithSubscribers": notifications,
    }
    yield Call("budgets", "create_budget", parameters)
    return {}
