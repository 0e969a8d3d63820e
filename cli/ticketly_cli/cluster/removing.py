"""`uninstall`: take the operator out of a cluster without leaving anything that waits for it.

The order matters. Platforms that shall go are deleted while the operator can still act by their deletion policy; then
the operator goes; only then its finalizers, because a living operator would put them back; then everything else. Cut
off anywhere, the next run goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from ticketly_cli.cluster import asking, definition, kinds, operators
from ticketly_cli.cluster.connection import Api, ApiError
from ticketly_cli.cluster.kinds import DEFINITION, DEPLOYMENT, LEASE, PLATFORM, POD, ApiKind
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import Terminal
from ticketly_cli.results import Cell, JsonObject, Table, Text, View
from ticketly_crds import names

_POLL_SECONDS: Final = 0.3
_PODS_SECONDS: Final = 60.0
_DEFINITION_SECONDS: Final = 60.0
_ATTEMPTS: Final = 5
_OUTSIDE: Final = "topics, connectors and replication slots"
_REMOVED_KINDS: Final = tuple(
    kinds.of({"apiVersion": version, "kind": kind})
    for version, kind in (
        ("apps/v1", "Deployment"),
        ("policy/v1", "PodDisruptionBudget"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("v1", "Service"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding"),
        ("rbac.authorization.k8s.io/v1", "Role"),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("v1", "ServiceAccount"),
        ("monitoring.coreos.com/v1", "ServiceMonitor"),
        ("monitoring.coreos.com/v1", "PrometheusRule"),
    )
)


@dataclass(frozen=True, slots=True)
class Uninstalled:
    """Data: `context`, `namespace`, `removed`, `platforms_left`, `platforms_deleted`, `stays`."""

    context: str
    namespace: str
    removed: Sequence[tuple[str, str]]
    left: Sequence[str]
    deleted: Sequence[str]
    stays: Sequence[str]

    @property
    def exit_code(self) -> int:
        return ExitCode.DONE

    def to_data(self) -> JsonObject:
        return {
            "context": self.context,
            "namespace": self.namespace,
            "removed": [{"kind": kind, "name": name} for kind, name in self.removed],
            "platforms_left": list(self.left),
            "platforms_deleted": list(self.deleted),
            "stays": list(self.stays),
        }

    def to_view(self) -> View:
        if not self.removed and not self.deleted:
            return (Text("There is nothing of ticketly to remove in this cluster."),)
        rows = [(kind, name, Cell("removed", "dim")) for kind, name in self.removed]
        rows += [(PLATFORM.kind, name, Cell("deleted", "bad")) for name in self.deleted]
        return (Table(("kind", "name", ""), rows), Text(""), *(Text(each, "warn") for each in self.stays))


def uninstall(
    api: Api,
    shown: Terminal,
    *,
    namespace: str,
    with_definition: bool,
    yes: bool,
    approved: Sequence[str],
    timeout_seconds: float,
) -> Uninstalled:
    """Remove the operator; with `with_definition` the platforms and their definition as well.

    Raises CliError before anything is changed when it was not confirmed: the end of supervision by one answer or
    --yes, the deletion of a platform by its name.
    """
    operator = operators.find(api, namespace)
    place = namespace or (operator.namespace if operator else operators.DEFAULT_NAMESPACE)
    found = _listed(api, PLATFORM)
    concerned = found if with_definition else [each for each in found if _is_watched(each, operator)]
    if concerned:
        _explain(shown, concerned, operator, with_definition=with_definition)
    if with_definition and concerned:
        full_names = [_full_name(each) for each in concerned]
        asking.approve_names(shown, full_names, list(approved), "Platform", "--allow-delete")
    elif operator is not None or concerned:
        asking.confirm(shown, f"Remove the operator from namespace {place} of {api.context}?", yes=yes)
    stays: list[str] = []
    if with_definition and concerned:
        stays += _delete_platforms(api, concerned, operator, shown, timeout_seconds)
    removed = _remove_operator(api, place, shown)
    with shown.step("Clearing finalizers"):
        for each in concerned:
            _clear_finalizer(api, each)
    removed += _remove_installed(api, place)
    if with_definition and definition.live(api) is not None:
        with shown.step("Removing the definition"):
            api.delete(DEFINITION, "", definition.NAME)
            _wait_gone(lambda: definition.live(api) is None, _DEFINITION_SECONDS)
        removed.append((DEFINITION.kind, definition.NAME))
        if definition.live(api) is not None:
            stays.append("The definition waits for platforms that somebody else's finalizer holds.")
    left = [] if with_definition else [_full_name(each) for each in concerned]
    if left:
        stays.append(
            f"Platforms stay and their services run on, without anybody who looks after them: {', '.join(left)}."
        )
    if removed:
        stays.append(f"Namespace {place} stays; when nothing else is in it: kubectl delete namespace {place}")
    deleted = [_full_name(each) for each in concerned] if with_definition else []
    return Uninstalled(api.context, place, removed, left, deleted, stays)


def remove_stale(api: Api, namespace: str, wanted: Sequence[JsonObject]) -> list[tuple[str, str]]:
    """Remove what an earlier installation in that namespace made and this one does not have; say what."""
    kept = {(each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]) for each in wanted}
    removed = []
    for kind in _REMOVED_KINDS:
        for each in _installed(api, kind, namespace):
            metadata = each["metadata"]
            if (kind.kind, metadata.get("namespace", ""), metadata["name"]) not in kept:
                api.delete(kind, metadata.get("namespace", ""), metadata["name"])
                removed.append((kind.kind, metadata["name"]))
    return removed


def _listed(api: Api, kind: ApiKind, selector: str = "") -> list[JsonObject]:
    """What there is everywhere, nothing of a kind that the cluster does not know."""
    try:
        return api.list(kind, "", selector)
    except ApiError as error:
        if error.kind_unknown:
            return []
        raise


def _is_watched(platform: JsonObject, operator: operators.Operator | None) -> bool:
    return operator is None or operator.sees(platform["metadata"]["namespace"])


def _full_name(platform: JsonObject) -> str:
    return f"{platform['metadata']['namespace']}/{platform['metadata']['name']}"


def _policy(platform: JsonObject) -> str:
    return str((platform.get("spec") or {}).get("deletionPolicy", "Retain"))


def _explain(
    shown: Terminal, found: list[JsonObject], operator: operators.Operator | None, *, with_definition: bool
) -> None:
    rows = []
    for each in found:
        if not with_definition:
            fate = "stays, unattended"
        elif _policy(each) == "Delete" and operator is not None and operator.ready_replicas:
            fate = f"deleted, with its {_OUTSIDE}"
        else:
            fate = f"deleted; {_OUTSIDE} stay"
        rows.append((_full_name(each), _policy(each), Cell(fate, "bad" if with_definition else "warn")))
    shown.show((Table(("platform", "deletion policy", "what becomes of it"), rows), Text("")))


def _delete_platforms(
    api: Api,
    found: list[JsonObject],
    operator: operators.Operator | None,
    shown: Terminal,
    timeout_seconds: float,
) -> list[str]:
    """Delete; give the operator the time it needs to act by their policies; say what it leaves."""
    stays = []
    with shown.step(f"Deleting {len(found)} platforms", total=len(found)) as step:
        for each in found:
            metadata = each["metadata"]
            step.say(metadata["name"])
            api.delete(PLATFORM, metadata["namespace"], metadata["name"])
        waiting = [each for each in found if names.FINALIZER in each["metadata"].get("finalizers", ())]
        deadline = time.monotonic() + (timeout_seconds if operator is not None and operator.ready_replicas else 0)
        for each in waiting:
            metadata = each["metadata"]

            def gone(metadata: JsonObject = metadata) -> bool:
                return api.get(PLATFORM, metadata["namespace"], metadata["name"]) is None

            if not _wait_gone(gone, deadline - time.monotonic()):
                stays.append(f"The {_OUTSIDE} of {_full_name(each)} were not removed and stay.")
            step.advance()
    kept = [_full_name(each) for each in found if _policy(each) == "Retain"]
    return [*stays, *(f"The {_OUTSIDE} of {name} stay, by its deletion policy Retain." for name in kept)]


def _remove_operator(api: Api, namespace: str, shown: Terminal) -> list[tuple[str, str]]:
    if not api.delete(DEPLOYMENT, namespace, operators.DEPLOYMENT_NAME, wait_for_dependents=True):
        return []
    with shown.step("Stopping the operator"):
        if not _wait_gone(lambda: not api.list(POD, namespace, operators.SELECTOR), _PODS_SECONDS):
            shown.warning("A pod of the operator does not end; going on without waiting for it.")
    return [(DEPLOYMENT.kind, operators.DEPLOYMENT_NAME)]


def _clear_finalizer(api: Api, platform: JsonObject) -> None:
    """Take our finalizer away, whatever else holds the platform; again when somebody changes it in between."""
    metadata = platform["metadata"]
    for _ in range(_ATTEMPTS):
        current = api.get(PLATFORM, metadata["namespace"], metadata["name"])
        held = (current or {}).get("metadata", {}).get("finalizers") or []
        if current is None or names.FINALIZER not in held:
            return
        kept = [each for each in held if each != names.FINALIZER]
        change = {"metadata": {"finalizers": kept, "resourceVersion": current["metadata"]["resourceVersion"]}}
        try:
            api.merge(PLATFORM, metadata["namespace"], metadata["name"], change)
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
    raise CliError(
        f"The finalizer of platform {_full_name(platform)} could not be removed: somebody changes it all the time.",
        "Run the command again.",
    )


def _remove_installed(api: Api, namespace: str) -> list[tuple[str, str]]:
    removed = []
    for kind in _REMOVED_KINDS:
        for each in _installed(api, kind, namespace):
            metadata = each["metadata"]
            if api.delete(kind, metadata.get("namespace", ""), metadata["name"]):
                removed.append((kind.kind, metadata["name"]))
    if removed:
        api.delete(LEASE, namespace, operators.DEPLOYMENT_NAME)
    return removed


def _installed(api: Api, kind: ApiKind, namespace: str) -> list[JsonObject]:
    """What belongs to the installation in that namespace: there, and roles elsewhere that are bound to its account."""
    found = _listed(api, kind, operators.SELECTOR)
    if kind.kind.endswith("Binding"):
        return [each for each in found if _binds(each, namespace)]
    if kind.kind in ("ClusterRole", "Role"):
        bindings = api.list(
            kinds.of({"apiVersion": kind.api_version, "kind": f"{kind.kind}Binding"}), "", operators.SELECTOR
        )
        others = {_role(each) for each in bindings if not _binds(each, namespace)}
        return [
            each for each in found if (each["metadata"].get("namespace", ""), each["metadata"]["name"]) not in others
        ]
    return [each for each in found if each["metadata"].get("namespace") == namespace]


def _binds(binding: JsonObject, namespace: str) -> bool:
    return any(each.get("namespace") == namespace for each in binding.get("subjects") or ())


def _role(binding: JsonObject) -> tuple[str, str]:
    return binding["metadata"].get("namespace", ""), binding["roleRef"]["name"]


def _wait_gone(gone: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not gone():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
