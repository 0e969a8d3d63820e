"""A network, a database and a bucket: what the engine does with them shows in seconds."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

config = pulumi.Config("ticketly")
protect = pulumi.ResourceOptions(protect=config.get_bool("protect") or False)
network = aws.ec2.Vpc("network", cidr_block="10.0.0.0/16")
password = pulumi.Output.secret(aws.secretsmanager.get_random_password_output(password_length=32).random_password)
database = aws.rds.Instance(
    "orders",
    identifier=config.get("databaseName") or "orders",
    instance_class="db.t4g.medium",
    password=password,
    opts=pulumi.ResourceOptions.merge(
        protect, pulumi.ResourceOptions(depends_on=[network], ignore_changes=["password"])
    ),
)
if config.get("uploads") != "none":
    aws.s3.Bucket("uploads", bucket="uploads", opts=protect)
pulumi.export("databaseAddress", database.address)
pulumi.export("databasePassword", password)
