"""The TicketlyPlatform definition in a cluster: compared with ours, brought up to date, waited for."""

from __future__ import annotations

import time
from importlib import resources
from typing import Any, Final

import yaml

from ticketly_cli.cluster import definitions
from ticketly_cli.cluster.connection import Api
from ticketly_cli.cluster.definitions import DefinitionReport
from ticketly_cli.cluster.kinds import DEFINITION, PLATFORM
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.results import JsonObject

NAME: Final = PLATFORM.resource
_ESTABLISHED_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.2


def ours() -> JsonObject:
    """The definition that belongs to this version."""
    text = (resources.files("ticketly_crds") / "ticketlyplatform.yaml").read_text(encoding="utf-8")
    found: JsonObject = yaml.safe_load(text)
    return found


def live(api: Api) -> JsonObject | None:
    """The cluster's definition."""
    return api.get(DEFINITION, "", NAME)


def compared(api: Api, found: JsonObject | None) -> DefinitionReport:
    """What applying ours would change; the server is asked, so that its defaults make no difference."""
    if found is None:
        return DefinitionReport(api.context, installed=False, changes=())
    result = api.apply(DEFINITION, ours(), force=True, dry_run=True)
    return DefinitionReport(api.context, installed=True, changes=definitions.compare(found["spec"], result["spec"]))


def refuse_downgrade(found: JsonObject | None) -> None:
    """Raises CliError when the cluster has stored platforms in a version that ours does not know."""
    lost = definitions.lost_versions(found, ours()) if found is not None else ()
    if lost:
        raise CliError(
            f"The cluster has platforms stored as {', '.join(lost)}, which this version of ticketly does not know.",
            "Use the version of ticketly that installed them, or a newer one.",
        )


def apply(api: Api) -> JsonObject:
    """Apply ours and wait until the server serves it. Raises CliError when it refuses."""
    api.apply(DEFINITION, ours(), force=True)
    deadline = time.monotonic() + _ESTABLISHED_SECONDS
    while True:
        found = live(api)
        conditions = {each["type"]: each for each in _conditions(found)}
        if conditions.get("Established", {}).get("status") == "True" and PLATFORM.kind in api.served(
            PLATFORM.group, PLATFORM.version
        ):
            assert found is not None  # noqa: S101 - it has conditions
            return found
        refused = conditions.get("NamesAccepted", {})
        if refused.get("status") == "False":
            message = f"The API server does not accept the names of {PLATFORM.kind}: {refused.get('message', '')}."
            raise CliError(message, "Another definition uses them; remove it first.")
        if time.monotonic() >= deadline:
            message = f"The definition of {PLATFORM.kind} is not established after {_ESTABLISHED_SECONDS:g} s."
            raise CliError(message, "Run the command again.", ExitCode.FAILED)
        time.sleep(_POLL_SECONDS)


def _conditions(found: JsonObject | None) -> list[dict[str, Any]]:
    conditions: list[dict[str, Any]] = ((found or {}).get("status") or {}).get("conditions") or []
    return conditions
