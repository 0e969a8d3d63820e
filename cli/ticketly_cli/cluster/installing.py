"""`install`: the definition, then the operator with its rights, then waiting until it runs. Safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from ticketly_cli.cluster import comparing, definition, kinds, operators, platforms, removing, rollouts
from ticketly_cli.cluster.connection import FIELD_MANAGER, Api, ApiError
from ticketly_cli.cluster.kinds import DEFINITION
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import Terminal
from ticketly_cli.results import Cell, Facts, JsonObject, Table, Text, Tone, View
from ticketly_operator.desired.installation import Installation, manifests
from ticketly_operator.desired.model import Manifest

_TONES: Final[dict[str, Tone]] = {"created": "good", "changed": "warn", "unchanged": "dim", "removed": "bad"}


@dataclass(frozen=True, slots=True)
class Installed:
    """Data: `context`, `namespace`, `image`, `watch_namespace`, `dry_run`, `objects` (kind, name, change)."""

    installation: Installation
    context: str
    dry_run: bool
    objects: Sequence[tuple[str, str, str]]

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {
            "context": self.context,
            "namespace": self.installation.namespace,
            "image": self.installation.image,
            "watch_namespace": self.installation.watch_namespace,
            "dry_run": self.dry_run,
            "objects": [{"kind": kind, "name": name, "change": change} for kind, name, change in self.objects],
        }

    def to_view(self) -> View:
        rows = [(kind, name, Cell(change, _TONES[change])) for kind, name, change in self.objects]
        where = self.installation.watch_namespace
        facts = Facts(
            [
                ("cluster", self.context),
                ("namespace", self.installation.namespace),
                ("image", self.installation.image),
                ("watches", f"namespace {where}" if where else "all namespaces"),
            ]
        )
        done = "Nothing was changed: a dry run." if self.dry_run else "The operator runs. Next: ticketly apply -f FILE"
        return (Table(("kind", "name", "change"), rows), Text(""), facts, Text(done, "good"))


def install(api: Api, installation: Installation, shown: Terminal, *, dry_run: bool, wait_seconds: float) -> Installed:
    """Apply everything and wait for the roll-out.

    Raises CliError: 1 when the definition would break platforms, when another installation is there, or when the
    operator does not come up (with its pod's own words).
    """
    _refuse_a_second(api, installation)
    if installation.watch_namespace and installation.watch_namespace != installation.namespace:
        platforms.need_namespace(api, installation.watch_namespace)
    found = definition.live(api)
    definition.refuse_downgrade(found)
    report = definition.compared(api, found)
    breaking = [each for each in report.changes if each.breaking]
    if breaking:
        raise CliError(
            f"The cluster's definition differs in {len(breaking)} ways that may refuse platforms that exist.",
            "Look at them with `ticketly crd upgrade --check`, then run `ticketly crd upgrade`.",
        )
    told = [(DEFINITION.kind, definition.NAME, _word(found is None, bool(report.changes)))]
    objects = manifests(installation)
    with shown.step("Installing the operator", total=len(objects) + 1) as step:
        if not dry_run and (found is None or report.changes):
            step.say("the definition")
            definition.apply(api)
        step.advance()
        for manifest in objects:
            step.say(f"{manifest['kind']} {manifest['metadata']['name']}")
            told.append(_apply(api, manifest, dry_run=dry_run))
            step.advance()
    if not dry_run:
        # an earlier installation may have watched another namespace, by other roles
        told += [(kind, name, "removed") for kind, name in removing.remove_stale(api, installation.namespace, objects)]
        with shown.step("Waiting for the operator") as step:
            rollouts.wait(api, installation.namespace, operators.DEPLOYMENT_NAME, wait_seconds, step)
    return Installed(installation, api.context, dry_run, told)


def _apply(api: Api, manifest: Manifest, *, dry_run: bool) -> tuple[str, str, str]:
    kind, metadata = kinds.of(manifest), manifest["metadata"]
    before = api.get(kind, metadata.get("namespace", ""), metadata["name"])
    try:
        after = api.apply(kind, manifest, force=False, dry_run=dry_run)
    except ApiError as error:
        if error.conflicts:
            listed = ", ".join(str(each) for each in error.conflicts[:5])
            raise CliError(
                f"{kind.kind} {metadata['name']} has fields that somebody else owns: {listed}.",
                f"If that was an installation by other means, go on with it, or hand them to {FIELD_MANAGER}: "
                "`ticketly uninstall`, then `ticketly install`.",
            ) from None
        if dry_run and before is None and error.status == HTTPStatus.NOT_FOUND:
            # its namespace would have been made just before
            return kind.kind, metadata["name"], "created"
        raise
    changed = before is not None and bool(comparing.object_changes(before, after))
    return kind.kind, metadata["name"], _word(before is None, changed)


def _word(created: bool, changed: bool) -> str:
    return "created" if created else "changed" if changed else "unchanged"


def _refuse_a_second(api: Api, installation: Installation) -> None:
    """Two operators that see the same platforms would both write: each has a Lease of its own."""
    for other in operators.visible(api):
        apart = other.watches and installation.watch_namespace and other.watches != installation.watch_namespace
        if other.namespace != installation.namespace and not apart:
            raise CliError(
                f"There is an operator in namespace {other.namespace} already; two would write the same objects.",
                f"Upgrade that one with --namespace {other.namespace}, or remove it with `ticketly uninstall`.",
            )
