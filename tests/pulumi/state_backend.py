"""Lints the template of the state's bucket with AWS's own linter and makes it in the emulator, whose environment it is.

`state_backend.py TEMPLATE` prints one JSON object. Bucket policies and settings that the emulator's CloudFormation does
not make are read from the template, where the linter has checked their shape.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import boto3
from cfnlint.api import lint_all
from cfnlint.decode.cfn_yaml import loads
from moto import mock_aws

REGION = "ap-south-1"


def written(template: str) -> dict[str, Any]:
    """What the template says of bucket, key and policy."""
    resources = json.loads(json.dumps(loads(template)))["Resources"]
    bucket = resources["Bucket"]["Properties"]
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    (statement,) = resources["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    return {
        "encryption": rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"],
        "versioning": bucket["VersioningConfiguration"]["Status"],
        "block": bucket["PublicAccessBlockConfiguration"],
        "refuses_plain_http": statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}},
        "key_rotates": resources["Key"]["Properties"]["EnableKeyRotation"],
        "kept": sorted(name for name, one in resources.items() if one.get("DeletionPolicy") == "Retain"),
    }


def made(template: str) -> dict[str, Any]:
    """What stands in the emulated account after the template was deployed."""
    stacks = boto3.client("cloudformation", region_name=REGION)
    stacks.create_stack(StackName="ticketly-state", TemplateBody=template)
    (stack,) = stacks.describe_stacks(StackName="ticketly-state")["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    buckets = [one["Name"] for one in boto3.client("s3", region_name=REGION).list_buckets()["Buckets"]]
    return {"status": stack["StackStatus"], "outputs": sorted(outputs), "buckets": buckets}


if __name__ == "__main__":
    os.environ.update(AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing", AWS_DEFAULT_REGION=REGION)
    text = Path(sys.argv[1]).read_text()
    with mock_aws():
        # hints (I...) are about taste
        faults = [str(one) for one in lint_all(text) if not one.rule.id.startswith("I")]
        print(json.dumps({"faults": faults, **written(text), **made(text)}))
