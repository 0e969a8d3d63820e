"""Finding the platform that a command is about."""

from __future__ import annotations

import time
from collections.abc import Callable

from ticketly_cli.cluster.connection import Api, ApiError
from ticketly_cli.cluster.kinds import NAMESPACE, PLATFORM
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.results import JsonObject

POLL_SECONDS = 0.5


def find(api: Api, name: str = "") -> JsonObject:
    """The platform called `name` in the chosen namespace; without a name the only one there is.

    Raises CliError: 4 when the cluster has no such platform (those that exist are listed) or does not know the kind, 3
    when there are several and none was named.
    """
    if name:
        found = api.get(PLATFORM, api.namespace, name)
        if found is None:
            raise _missing(api, f"There is no platform {name} in namespace {api.namespace}.")
        return found
    here = api.list(PLATFORM, api.namespace)
    if not here:
        raise _missing(api, f"There is no platform in namespace {api.namespace}.")
    if len(here) > 1:
        names = ", ".join(sorted(each["metadata"]["name"] for each in here))
        message = f"Namespace {api.namespace} has {len(here)} platforms: {names}."
        raise CliError(message, "Name one with --platform.", ExitCode.BAD_ARGUMENTS)
    return here[0]


def need_namespace(api: Api, namespace: str) -> None:
    """Raises CliError (exit code 4) when there is no such namespace; not being allowed to look is no reason."""
    try:
        missing = api.get(NAMESPACE, "", namespace) is None
    except ApiError:
        return
    if missing:
        raise CliError(f"Namespace {namespace} does not exist.", f"Make it: kubectl create namespace {namespace}", 4)


def wait_until(
    api: Api, found: JsonObject, done: Callable[[JsonObject], bool], timeout_seconds: float
) -> tuple[JsonObject, bool]:
    """The platform as soon as `done` says so of it (True), or as it is when the time is over (False).

    Raises CliError when it is deleted meanwhile.
    """
    metadata = found["metadata"]
    deadline = time.monotonic() + timeout_seconds
    while True:
        current = api.get(PLATFORM, metadata["namespace"], metadata["name"])
        if current is None:
            raise CliError(f"Platform {metadata['name']} was deleted meanwhile.")
        if done(current):
            return current, True
        if time.monotonic() >= deadline:
            return current, False
        time.sleep(POLL_SECONDS)


def _missing(api: Api, message: str) -> CliError:
    """Name the platforms there are, each with the options that choose it."""
    try:
        everywhere = api.list(PLATFORM)
    except ApiError as error:
        if error.kind_unknown:
            raise
        return CliError(message, "Choose another namespace with --namespace.", ExitCode.UNREACHABLE)
    if not everywhere:
        return CliError(message, "The cluster has none; make one with `ticketly apply -f FILE`.", ExitCode.UNREACHABLE)
    listed = sorted((each["metadata"]["namespace"], each["metadata"]["name"]) for each in everywhere)
    options = ", ".join(f"--namespace {namespace} --platform {name}" for namespace, name in listed[:10])
    more = f" and {len(listed) - 10} more" if len(listed) > 10 else ""
    return CliError(message, f"There are: {options}{more}.", ExitCode.UNREACHABLE)
