"""Sends a recorded program to an AWS emulator; runs in the emulator's environment.

`recording_replay.py FILE` starts the emulator on a free loopback port, replays the resources in their order with real
identifiers in place of the recorded ones, stops the emulator and prints one JSON object:
{"replayed": [types], "validated": [types], "failures": [{type, name, error}], "unplaced": [types], "calls": number}.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import boto3
import recording_calls_access
import recording_calls_data
import recording_calls_edge
import recording_calls_machines
from botocore.config import Config
from botocore.validate import ParamValidator
from moto.server import ThreadedMotoServer
from recording_calls import NOT_COVERED, REPLAYED, TRANSLATIONS, Call, Taken

PARTS = (recording_calls_access, recording_calls_data, recording_calls_edge, recording_calls_machines)
"""Importing them fills the table of translations."""
REGION = "ap-south-1"


class Invented(dict):
    """An answer nobody gave: every path in it leads to a text."""

    def __missing__(self, key: Any) -> Any:
        return Invented() if str(key)[:1].islower() or key in {"Summary", "Cluster"} else f"invented-{key}"


class Replay:
    """Translates and sends; remembers which real identifier stands for which recorded one."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._clients: dict[str, Any] = {}
        self._real: dict[str, str] = {}
        self.calls = 0

    def run(self, resource: dict[str, Any]) -> str:
        """Replay one resource; returns how it was checked. Raises whatever is wrong with its shape."""
        how, translation = TRANSLATIONS[resource["type"]]
        taken = Taken(self._placed(resource["inputs"] or {}))
        steps = translation(taken)
        answer: Any = None
        while True:
            try:
                call = steps.send(answer)
            except StopIteration as finished:
                self._remember(resource, finished.value or {})
                break
            answer = self._send(call) if how == REPLAYED else self._check(call)
        taken.finish()
        return how

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=60)
            self._clients[service] = boto3.client(
                service, region_name=REGION, endpoint_url=self._endpoint, config=config
            )
        return self._clients[service]

    def _send(self, call: Call) -> Any:
        self.calls += 1
        return getattr(self._client(call.service), call.operation)(**call.parameters)

    def _check(self, call: Call) -> Any:
        client = self._client(call.service)
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[call.operation])
        report = ParamValidator().validate(call.parameters, model.input_shape)
        if report.has_errors():
            raise ValueError(report.generate_report())
        return Invented()

    def _remember(self, resource: dict[str, Any], found: dict[str, Any]) -> None:
        recorded = {**resource["outputs"], "id": resource["id"]}
        for name, real in found.items():
            if isinstance(recorded.get(name), str) and isinstance(real, str):
                self._real[recorded[name]] = real

    def _placed(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._placed(inner) for name, inner in value.items() if inner is not None}
        if isinstance(value, list):
            return [self._placed(inner) for inner in value]
        if isinstance(value, str):
            for recorded in sorted(self._real, key=len, reverse=True):
                value = value.replace(recorded, self._real[recorded])
        return value


def replay(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Everything once; a resource that fails does not stop the others."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        running = Replay(f"http://{host}:{port}")
        found: dict[str, Any] = {"replayed": set(), "validated": set(), "unplaced": set(), "failures": []}
        for resource in resources:
            kind = resource["type"]
            if kind in NOT_COVERED:
                continue
            if kind not in TRANSLATIONS:
                found["unplaced"].add(kind)
                continue
            try:
                found[running.run(resource)].add(kind)
            except Exception as error:  # noqa: BLE001  whatever it is, it is this resource's failure
                told = f"{type(error).__name__}: {error}"
                found["failures"].append({"type": kind, "name": resource["name"], "error": told})
    finally:
        server.stop()
    return {
        name: sorted(value) if isinstance(value, set) else value
        for name, value in {**found, "calls": running.calls}.items()
    }


if __name__ == "__main__":
    os.environ.update(AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing", AWS_DEFAULT_REGION=REGION)
    # else the emulator knows none of the policies that AWS maintains
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    print(json.dumps(replay(json.loads(Path(sys.argv[1]).read_text()))))
