"""Everything the operator would make of a platform, as YAML documents. Pure: no cluster, no clock, no Secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import yaml

from ticketly_cli.cluster.operators import Limits
from ticketly_cli.errors import ExitCode
from ticketly_cli.results import JsonObject, Text, View
from ticketly_crds.blueprint import Blueprint
from ticketly_crds.spec import TicketlyPlatform
from ticketly_operator.desired import desired
from ticketly_operator.desired.model import Manifest, Surroundings

UNBORN_UID: Final = "00000000-0000-0000-0000-000000000000"
"""Owner references of a platform that is in no cluster yet."""

NO_SALE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""A moment at which no flash sale raises anything."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Data: `objects`, the manifests in the order in which they are made. The table view is YAML documents."""

    objects: Sequence[Manifest]

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {"objects": list(self.objects)}

    def to_view(self) -> View:
        return (Text(documents(self.objects).rstrip("\n")),)


def documents(objects: Sequence[Manifest]) -> str:
    """YAML documents, each with its separator."""
    dumped = (yaml.dump(each, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120) for each in objects)
    return "".join(f"---\n{text}" for text in dumped)


def render(
    platform: TicketlyPlatform,
    blueprint: Blueprint,
    *,
    operator_namespace: str,
    optional_kinds: frozenset[str],
    secret_versions: Mapping[str, str],
    at: datetime,
    limits: Limits | None = None,
    restart_token: str = "",
) -> tuple[Manifest, ...]:
    """The objects: those of all services, then the migrations, then the deployments."""
    chosen = limits or Limits()
    if not platform.metadata.uid:
        platform = platform.model_copy(update={"metadata": platform.metadata.model_copy(update={"uid": UNBORN_UID})})
    around = Surroundings(
        now=at,
        operator_namespace=operator_namespace,
        termination_grace_seconds=chosen.termination_grace_seconds,
        migration_deadline_seconds=chosen.migration_deadline_seconds,
        rollout_deadline_seconds=chosen.rollout_deadline_seconds,
        optional_kinds=optional_kinds,
        secret_versions=secret_versions,
        restart_token=restart_token,
    )
    return desired(platform, blueprint, around).all()


class _Dumper(yaml.SafeDumper):
    """No anchors: a document that refers to itself cannot be read by a person."""

    def ignore_aliases(self, data: object) -> bool:
        return True
