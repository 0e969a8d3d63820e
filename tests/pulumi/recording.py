"""Runs a Pulumi program against mocks and writes down every resource with the inputs it would send.

A script of its own process, because Pulumi's mocks are global: `recording.py MODULE:FUNCTION STACK FILE`. The mocked
identifiers are tokens that occur nowhere else, so that a replay can put real ones in their place.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks
from pulumi.runtime.stack import run_pulumi_func

ACCOUNT, REGION = "123456789012", "ap-south-1"


_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""Marks a value that is more than JSON on Pulumi's wire; a secret has its plain value under `value`."""


def as_sent(value: Any) -> Any:
    """Inputs as a provider sees them: secrets opened, and whole numbers whole again (the wire knows only floats)."""
    if isinstance(value, dict):
        if _SIGNATURE in value:
            return as_sent(value.get("value"))
        return {name: as_sent(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_sent(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Recorder(mocks.Mocks):
    """Answers every resource with its own inputs, an id, an ARN and what AWS would add."""

    def __init__(self) -> None:
        self.recorded: list[dict[str, Any]] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Note the resource; the order of the calls is an order in which they could be created."""
        inputs = as_sent(args.inputs or {})
        number = f"{len(self.recorded) + 1:08x}"
        service, _, kind = args.typ.partition("/")[0].rpartition(":")[2], "", args.typ.rpartition(":")[2]
        identifier = f"{kind.lower()}-{number}{'0' * 9}"
        outputs = {
            "arn": f"arn:aws:{service}:{REGION}:{ACCOUNT}:{kind.lower()}/{identifier}",
            **{
                name: f"{name.lower()}-{number}{'0' * 9}"
                for name in ("url", "name", "dnsName", "zoneId", "bucket", "keyId", "allocationId")
            },
            "endpoint": f"endpoint-{number}.example.internal:5432",
            "address": f"address-{number}.example.internal",
            "port": 5432,
            **inputs,
        }
        if args.custom:
            self.recorded.append(
                {"type": args.typ, "name": args.name, "inputs": inputs, "id": identifier, "outputs": outputs}
            )
        return identifier, outputs

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        """Functions of the provider: who and where one is, and documents that the program itself writes."""
        return {
            "aws:index/getCallerIdentity:getCallerIdentity": {
                "accountId": ACCOUNT,
                "arn": "",
                "id": ACCOUNT,
                "userId": "",
            },
            "aws:index/getRegion:getRegion": {"name": REGION, "region": REGION, "id": REGION, "description": ""},
            "aws:index/getPartition:getPartition": {"partition": "aws", "dnsSuffix": "amazonaws.com", "id": "aws"},
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "names": [f"{REGION}{letter}" for letter in "abc"],
                "zoneIds": ["aps1-az1", "aps1-az2", "aps1-az3"],
            },
            "aws:ec2/getAmi:getAmi": {"id": "ami-12c6146b", "architecture": "x86_64"},
            "aws:ssm/getParameter:getParameter": {"value": "ami-12c6146b"},
        }.get(args.token, {})


def record(place: str, stack: str) -> list[dict[str, Any]]:
    """Every resource of the program, in an order in which they could be created."""
    module, _, function = place.partition(":")
    recorder = Recorder()
    mocks.set_mocks(recorder, project="ticketly", stack=stack, preview=False)
    pulumi.runtime.set_all_config({"aws:region": REGION, **json.loads(os.environ.get("RECORDING_CONFIG") or "{}")}, [])
    build = getattr(importlib.import_module(module), function)
    # the mocks already made the root resource on this loop
    asyncio.get_event_loop().run_until_complete(run_pulumi_func(build))
    return recorder.recorded


if __name__ == "__main__":
    asyncio.set_event_loop(asyncio.new_event_loop())
    Path(sys.argv[3]).write_text(json.dumps(record(sys.argv[1], sys.argv[2]), indent=1))
