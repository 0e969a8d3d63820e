"""Plays `pulumi-resource-aws`: keeps every input, makes up what only AWS knows, and creates nothing.

During a preview everything that is not an input is unknown, as it is with AWS. A program that reads it too early fails
here and passes with mocks.

STAND_IN_GATE names a folder. A resource whose name has a file `NAME.wait` there is not created before that file is
gone; `NAME.begun` tells that its creation has begun.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import mocks
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

sys.path.insert(0, str(Path(__file__).parents[1]))

from recording import Recorder
from serving import serve

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Pulumi's mark on the wire for a text that will be known after the update."""
REPLACING = frozenset({"bucket", "cidrBlock", "identifier"})


def planned(made: Any, given: Any) -> Any:
    """What a preview may tell of `made`: what was `given`, and that the rest is unknown."""
    if isinstance(made, dict) and isinstance(given, dict):
        return {name: planned(value, given[name]) if name in given else UNKNOWN for name, value in made.items()}
    if isinstance(made, list) and isinstance(given, list):
        return [planned(*both) for both in itertools.zip_longest(made, given, fillvalue=UNKNOWN)]
    return given


def wire(found: dict[str, Any]) -> Any:
    message = struct_pb2.Struct()
    message.update(json.loads(json.dumps(found)))
    return message


def plain(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = json_format.MessageToDict(message)
    return found


def wait_at_gate(name: str) -> None:
    folder = os.environ.get("STAND_IN_GATE")
    if folder and (Path(folder) / f"{name}.wait").exists():
        (Path(folder) / f"{name}.begun").touch()
        while (Path(folder) / f"{name}.wait").exists():
            time.sleep(0.05)


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Identifiers start anywhere, since every operation has a process of its own."""

    def __init__(self) -> None:
        self._recorder = Recorder(first_number=secrets.randbits(28))

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802  the names of the calls
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version="7.0.0")

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        before, after = plain(request.old_inputs), plain(request.news)
        kept = {*request.ignoreChanges, "__defaults"}
        changed = [name for name in sorted({*before, *after} - kept) if before.get(name) != after.get(name)]
        answer = provider_pb2.DiffResponse
        return answer(
            changes=answer.DIFF_SOME if changed else answer.DIFF_NONE,
            diffs=changed,
            replaces=[name for name in changed if name in REPLACING],
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        given = plain(request.properties)
        identifier, made = self._recorder.new_resource(
            mocks.MockResourceArgs(typ=request.type, name=request.name, inputs=dict(given), custom=True)
        )
        if request.preview:
            return provider_pb2.CreateResponse(properties=wire(planned(made, given)))
        wait_at_gate(request.name)
        return provider_pb2.CreateResponse(id=identifier, properties=wire(made))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.UpdateResponse(properties=wire({**plain(request.olds), **plain(request.news)}))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        found = self._recorder.call(mocks.MockCallArgs(token=request.tok, args={}, provider=""))
        return provider_pb2.InvokeResponse(**{"return": wire(found)})

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()


if __name__ == "__main__":
    serve(provider_pb2_grpc.add_ResourceProviderServicer_to_server, Provider())
