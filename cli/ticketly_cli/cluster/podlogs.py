"""`logs` in a cluster: the lines of a service's pods, each with its pod's name."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ticketly_cli.cluster import operators
from ticketly_cli.cluster.connection import Api, ApiError
from ticketly_cli.cluster.kinds import POD
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.results import JsonObject, Text, View
from ticketly_crds import names
from ticketly_crds.blueprint import CONTRACT_PORTS

OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True)
class PodLogs:
    """Data: `service`, `pods`: `name`, `lines` and, where there are none to be had, `problem`."""

    service: str
    pods: Sequence[JsonObject]

    @property
    def exit_code(self) -> int:
        readable = any("problem" not in each for each in self.pods)
        return ExitCode.DONE if readable else ExitCode.UNREACHABLE

    def to_data(self) -> JsonObject:
        return {"service": self.service, "pods": list(self.pods)}

    def to_view(self) -> View:
        lines: list[Text] = []
        for each in self.pods:
            lines += [Text(prefixed(each["name"], line)) for line in each["lines"]]
            if "problem" in each:
                lines.append(Text(prefixed(each["name"], f"no log: {each['problem']}"), "bad"))
        return tuple(lines)


def pods_of(api: Api, platform: JsonObject | None, service: str, operator_namespace: str = "") -> list[JsonObject]:
    """The pods of a service of the platform, or of the operator, oldest first.

    Raises CliError: 3 for a service that does not exist, 4 when it has no pod.
    """
    if service == OPERATOR:
        there = operators.find(api, operator_namespace)
        if there is None:
            message = "No operator is visible in this cluster."
            raise CliError(message, "Install it with `ticketly install`.", ExitCode.UNREACHABLE)
        namespace, selector = there.namespace, operators.SELECTOR
    else:
        known = sorted(CONTRACT_PORTS)
        if service not in known or platform is None:
            message = f"A platform has no service {service}."
            raise CliError(message, f"There are: {', '.join(known)}, {OPERATOR}.", ExitCode.BAD_ARGUMENTS)
        namespace = platform["metadata"]["namespace"]
        labels = names.selector(platform["metadata"]["name"], service)
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
    found = api.list(POD, namespace, selector)
    if not found:
        raise CliError(
            f"{service} has no pod in namespace {namespace}.", "See `ticketly status`.", ExitCode.UNREACHABLE
        )
    return sorted(found, key=lambda each: (each["metadata"].get("creationTimestamp", ""), each["metadata"]["name"]))


def last_lines(api: Api, service: str, pods: Sequence[JsonObject], lines: int) -> PodLogs:
    """The end of each pod's log; a pod whose log cannot be had says why."""
    told = []
    for pod in pods:
        name = pod["metadata"]["name"]
        try:
            text = api.text(_path(pod), "get", f"pods/log {name}", {"tailLines": str(lines)})
        except ApiError as error:
            told.append({"name": name, "lines": [], "problem": error.said or error.message})
        else:
            told.append({"name": name, "lines": text.splitlines()})
    return PodLogs(service, told)


def follow(api: Api, pods: Sequence[JsonObject], lines: int) -> Iterator[str]:
    """The last lines of each pod, then every new one of any of them, until all have ended."""
    waiting: queue.Queue[str | None] = queue.Queue(maxsize=1000)
    for pod in pods:
        threading.Thread(target=_read, args=(api, pod, lines, waiting), daemon=True).start()
    running = len(pods)
    while running:
        line = waiting.get()
        if line is None:
            running -= 1
        else:
            yield line


def _read(api: Api, pod: JsonObject, lines: int, waiting: queue.Queue[str | None]) -> None:
    name = pod["metadata"]["name"]
    params = {"tailLines": str(lines), "follow": "true"}
    try:
        with api.lines(_path(pod), "get", f"pods/log {name}", params) as arriving:
            for line in arriving:
                waiting.put(prefixed(name, line))
    except ApiError as error:
        waiting.put(prefixed(name, f"no log: {error.said or error.message}"))
    finally:
        with contextlib.suppress(RuntimeError):
            waiting.put(None)


def prefixed(pod: str, line: str) -> str:
    """`order-7d9f  {"level": ...}`."""
    return f"{pod}  {line}"


def _path(pod: JsonObject) -> str:
    metadata = pod["metadata"]
    return f"{POD.path(metadata['namespace'], metadata['name'])}/log"
