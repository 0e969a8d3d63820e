"""A program that answers Pulumi's command line as the automation API uses it; run by the tests as `pulumi`.

It knows no resources: the file scenario.json in $ENGINE_FOLDER says which events it streams and how it ends. Every call
is noted in calls.jsonl. Like the real engine it hands out secrets when, and only when, --show-secrets is given.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

FOLDER = Path(os.environ["ENGINE_FOLDER"])
REFUSED = 255


def varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def encoded(event: str) -> bytes:
    """The protocol buffer message `EventRequest`: one text as field 1."""
    content = event.encode()
    return b"\x0a" + varint(len(content)) + content


def stream(address: str, events: list[dict]) -> None:
    import grpc

    if not events:
        return
    numbered = [json.dumps({"sequence": number, "timestamp": 1, **event}) for number, event in enumerate(events)]
    with grpc.insecure_channel(address.removeprefix("tcp://")) as channel:
        call = channel.stream_unary(
            "/pulumirpc.Events/StreamEvents", request_serializer=encoded, response_deserializer=bytes
        )
        call(iter(numbered), wait_for_ready=True)


def operation(name: str, arguments: list[str], scenario: dict) -> int:
    said = scenario.get(name) or {}
    address = arguments[arguments.index("--event-log") + 1] if "--event-log" in arguments else ""
    interrupted = threading.Event()
    interruptions = []
    signal.signal(signal.SIGINT, lambda *_: (interruptions.append(1), interrupted.set()))
    if said.get("locked"):
        sys.stderr.write(said["locked"])
        return REFUSED
    stream(address, said.get("events") or [])
    if said.get("until_interrupted"):
        (FOLDER / "running").touch()
        deadline = time.monotonic() + 60
        while not interrupted.wait(0.02) and time.monotonic() < deadline:
            pass
        (FOLDER / "interruptions").write_text(str(len(interruptions)))
        scenario["export"] = said["export_afterwards"]
        (FOLDER / "scenario.json").write_text(json.dumps(scenario))
        stream(address, [{"cancelEvent": {}}])
        sys.stderr.write("error: update canceled\n")
        return REFUSED
    stream(address, [*(said.get("more_events") or []), *summary(said), {"cancelEvent": {}}])
    if said.get("error"):
        sys.stderr.write(said["error"])
        return REFUSED
    return 0


def summary(said: dict) -> list[dict]:
    return [] if said.get("error") else [{"summaryEvent": {"durationSeconds": 1, "resourceChanges": {}}}]


def stack(arguments: list[str], scenario: dict) -> int:
    shown = "--show-secrets" in arguments
    if "select" in arguments or "init" in arguments:
        if "init" in arguments:
            (FOLDER / "stack").touch()
        elif not (FOLDER / "stack").exists():
            sys.stderr.write("error: no stack named 'dev' found\n")
            return REFUSED
    elif "output" in arguments:
        print(json.dumps(scenario["outputs_shown" if shown else "outputs"]))
    elif "export" in arguments:
        print(json.dumps(scenario["export_shown" if shown else "export"]))
    elif "history" in arguments:
        print(json.dumps([scenario["history"]]))
    return 0


def main(arguments: list[str]) -> int:
    if arguments == ["version"]:
        print((FOLDER / "version").read_text())
        return 0
    with (FOLDER / "calls.jsonl").open("a") as calls:
        names = ("PULUMI_BACKEND_URL", "AWS_REGION")
        calls.write(json.dumps({"arguments": arguments, **{name: os.environ.get(name) for name in names}}) + "\n")
    scenario = json.loads((FOLDER / "scenario.json").read_text())
    words = [word for word in arguments if not word.startswith("--")]
    if words[0] == "stack":
        return stack(arguments, scenario)
    if words[0] == "whoami":
        print(json.dumps({"user": "somebody", "url": "s3://state"}))
        return 0
    if words[0] == "config":
        if "set-all" not in words:
            print(json.dumps(scenario.get("config") or {}))
        return 0
    if words[0] == "destroy" and "--preview-only" in arguments:
        return operation("preview_destroy", arguments, scenario)
    return operation(words[0], arguments, scenario)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
