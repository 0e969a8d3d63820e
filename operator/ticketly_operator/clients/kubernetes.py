"""The API server, over its REST interface with plain JSON: nothing is modelled that the operator does not own.

lightkube reads the kubeconfig or the pod's service account and authenticates; requests are made here, because what
matters (server-side apply without client-side models, deletion with a precondition, the status subresource, one
request for one call) is easier to see in HTTP than in any wrapper.

Every write first asks the fence. It closes when this process can no longer be sure to lead, so that a paused leader
that wakes up writes nothing.

Over 300 lines because every call the operator makes to the API server stands here, in one place to audit.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final

import httpx2
from lightkube.config import client_adapter
from lightkube.config.kubeconfig import KubeConfig
from lightkube.core.exceptions import ConfigError

from ticketly_crds import kinds, names
from ticketly_crds.kinds import ApiKind
from ticketly_operator.desired import permissions
from ticketly_operator.desired.model import Manifest
from ticketly_operator.errors import (
    ApplyRefusedError,
    ClusterUnreachableError,
    FencedError,
    ForbiddenError,
    OperatorError,
)
from ticketly_operator.findings import Notice
from ticketly_operator.observed import Secret

_APPLY: Final = "application/apply-patch+yaml"
_JSON_PATCH: Final = "application/json-patch+json"
_MERGE: Final = "application/merge-patch+json"
_PAGE: Final = 500
_MALFORMED: Final = "failed to create typed patch object"
"""The API server answers 500 to an apply of a wrong type or an unknown field, which no repetition will mend."""
_TRIED_SELECTOR: Final = "ticketly.io/selects=nothing"
_NOTICE_AGAIN_SECONDS: Final = 3600.0
_SERVED_AGAIN_SECONDS: Final = 60.0
_MAX_REMEMBERED_NOTICES: Final = 10_000
_MAX_EVENT_MESSAGE_CHARS: Final = 1024

_log = logging.getLogger(__name__)


class ApiServer(AbstractAsyncContextManager["ApiServer"]):
    """One authenticated connection pool. Requests raise OperatorErrors only."""

    def __init__(self, *, timeout_seconds: float = 15.0) -> None:
        """Read the environment: a kubeconfig named by KUBECONFIG, else the pod's service account.

        Raises ClusterUnreachableError when there is neither.
        """
        try:
            config = KubeConfig.from_env().get()
        except (ConfigError, OSError) as error:
            raise ClusterUnreachableError(f"no access to a cluster: {error}") from None
        if config is None:
            raise ClusterUnreachableError("no access to a cluster: neither KUBECONFIG nor a service account was found")
        parameters = client_adapter.ConnectionParams(timeout=httpx2.Timeout(timeout_seconds), trust_env=False)
        self._http = client_adapter.AsyncClient(config, parameters)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        verb: str,
        resource: str,
        body: object = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
        missing_is_none: bool = False,
    ) -> Any:
        """Return the decoded answer; None for 404 when ``missing_is_none``.

        ``verb`` and ``resource`` say in Kubernetes' own words what is done, for errors and permissions. A call that
        the table of permissions does not grant raises UndeclaredCallError: its role would not allow it either.
        """
        permissions.check(verb, resource)
        try:
            answer = await self._http.request(
                method,
                path,
                content=None if body is None else json.dumps(body),
                headers={"Content-Type": content_type, "Accept": "application/json"},
                params=params,
            )
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ClusterUnreachableError(f"the API server does not answer ({verb} {resource}): {reason}") from None
        if answer.status_code == HTTPStatus.NOT_FOUND and missing_is_none:
            return None
        if answer.is_success:
            return answer.json() if answer.content else {}
        raise _error(answer, verb, resource)


def _error(answer: httpx2.Response, verb: str, resource: str) -> OperatorError:
    """Translate a refusal. The server's own message stays: it is the best explanation there is."""
    try:
        said = str(answer.json().get("message", ""))
    except (ValueError, AttributeError):
        said = answer.text
    said = " ".join(said.split())[:600] or f"status {answer.status_code}"
    match answer.status_code:
        case HTTPStatus.FORBIDDEN:
            return ForbiddenError(f"may not {verb} {resource}: {said}")
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.CONFLICT:
            return ClusterUnreachableError(f"{verb} {resource}: {said}")
        case code if code >= HTTPStatus.INTERNAL_SERVER_ERROR and _MALFORMED not in said:
            return ClusterUnreachableError(f"{verb} {resource}: {said}")
        case _:
            return ApplyRefusedError(f"{verb} {resource}: {said}")


class KubernetesCluster:
    """The ``Cluster`` port.

    ``scope`` is the namespace of platforms, empty for all. ``may_write`` is the fence. ``wrote`` is told kind and verb
    of every write, for metrics. ``monotonic`` is a clock in seconds.
    """

    def __init__(
        self,
        server: ApiServer,
        *,
        scope: str,
        may_write: Callable[[], bool],
        wrote: Callable[[str, str], None],
        monotonic: Callable[[], float],
        reporter: str,
    ) -> None:
        """Keep the collaborators; nothing is requested yet."""
        self._server = server
        self._scope = scope
        self._may_write = may_write
        self._wrote = wrote
        self._monotonic = monotonic
        self._reporter = reporter
        self._told: dict[tuple[str, str, str], float] = {}
        self._served: tuple[float, frozenset[str] | None] = 0.0, None

    async def platforms(self) -> Sequence[Manifest]:
        """Return all platforms in scope."""
        return await self._list(kinds.PLATFORM, self._scope)

    async def platform(self, namespace: str, name: str) -> Manifest | None:
        """Return one platform, None when there is none."""
        return await self._get(kinds.PLATFORM, namespace, name)

    async def children(self, namespace: str, platform: str) -> Sequence[Manifest]:
        """Return all objects of managed kinds with the platform's labels."""
        served = await self.optional_kinds()
        wanted = [*kinds.MANAGED, *(kind for kind in kinds.OPTIONAL if kind.qualified in served)]
        selector = _selector(platform)
        found = await asyncio.gather(*(self._list(kind, namespace, selector) for kind in wanted))
        return [item for items in found for item in items]

    async def object(self, manifest: Manifest) -> Manifest | None:
        """Return the live object of that kind and name, whoever made it."""
        metadata = manifest["metadata"]
        kind = kinds.of(manifest)
        return await self._get(kind, metadata["namespace"], metadata["name"])

    async def pods(self, namespace: str, platform: str) -> Sequence[Manifest]:
        """Return the pods of the platform's services and migrations."""
        return await self._list(kinds.POD, namespace, f"{names.INSTANCE_LABEL}={names.label_value(platform)}")

    async def secret(self, namespace: str, name: str) -> Secret | None:
        """Return a Secret, None when there is none."""
        found = await self._get(kinds.SECRET, namespace, name)
        if found is None:
            return None
        metadata = found["metadata"]
        data = found.get("data") or {}
        # a digest alone would let readers of pods guess short passwords; the uid is known to readers of the Secret only
        content = json.dumps(data, sort_keys=True).encode()
        version = hmac.new(metadata["uid"].encode(), content, hashlib.sha256).hexdigest()[:16]
        return Secret.decoded(name, version, data)

    async def optional_kinds(self) -> frozenset[str]:
        """Return which optional kinds are served, as of a minute ago at most."""
        asked_at, known = self._served
        if known is not None and self._monotonic() - asked_at < _SERVED_AGAIN_SECONDS:
            return known
        groups = sorted({(kind.group, kind.version) for kind in kinds.OPTIONAL})
        answers = await asyncio.gather(
            *(
                self._server.request(
                    "GET", f"/apis/{group}/{version}", verb=permissions.DISCOVER, resource=group, missing_is_none=True
                )
                for group, version in groups
            )
        )
        served = {
            f"{resource['kind']}.{group}"
            for (group, _), answer in zip(groups, answers, strict=True)
            for resource in (answer or {}).get("resources", [])
            if "/" not in resource["name"]
        }
        known = frozenset(kind.qualified for kind in kinds.OPTIONAL if kind.qualified in served)
        self._served = self._monotonic(), known
        return known

    async def forbidden_watches(self) -> Sequence[ForbiddenError]:
        """Try every watch the operator relies on for a second, without events; return the refusals."""
        tried = await asyncio.gather(*(self._refusal(kind) for kind in (kinds.PLATFORM, *kinds.MANAGED)))
        return [refusal for refusal in tried if refusal is not None]

    async def _refusal(self, kind: ApiKind) -> ForbiddenError | None:
        params = {"watch": "true", "timeoutSeconds": "1", "labelSelector": _TRIED_SELECTOR}
        try:
            await self._server.request(
                "GET", kind.path(self._scope), verb="watch", resource=kind.resource, params=params
            )
        except ForbiddenError as error:
            return error
        except OperatorError as error:
            _log.debug("the watch of %s was not tried: %s", kind.resource, error)
        return None

    async def apply(self, manifest: Manifest) -> Manifest:
        """Apply server-side; fields that others changed are taken back."""
        kind = kinds.of(manifest)
        metadata = manifest["metadata"]
        self._fence()
        applied: Manifest = await self._server.request(
            "PATCH",
            kind.path(metadata["namespace"], metadata["name"]),
            verb="patch",
            resource=f"{kind.resource} {metadata['name']}",
            body=manifest,
            content_type=_APPLY,
            params={"fieldManager": names.FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"},
        )
        self._wrote(kind.kind, "apply")
        return applied

    async def hand_over(self, fields: Manifest) -> None:
        """Let another manager own these fields of an object, so that they outlast our wish."""
        kind = kinds.of(fields)
        metadata = fields["metadata"]
        self._fence()
        await self._server.request(
            "PATCH",
            kind.path(metadata["namespace"], metadata["name"]),
            verb="patch",
            resource=f"{kind.resource} {metadata['name']}",
            body=fields,
            content_type=_APPLY,
            params={"fieldManager": f"{names.FIELD_MANAGER}-handover", "force": "true"},
        )
        self._wrote(kind.kind, "handover")

    async def delete(self, manifest: Manifest) -> None:
        """Delete an object with exactly the observed uid, its dependents in the background."""
        kind = kinds.of(manifest)
        metadata = manifest["metadata"]
        self._fence()
        await self._server.request(
            "DELETE",
            kind.path(metadata["namespace"], metadata["name"]),
            verb="delete",
            resource=f"{kind.resource} {metadata['name']}",
            body={"preconditions": {"uid": metadata["uid"]}, "propagationPolicy": "Background"},
            missing_is_none=True,
        )
        self._wrote(kind.kind, "delete")

    async def write_status(self, namespace: str, name: str, status: Mapping[str, Any]) -> None:
        """Replace the platform's status; that the platform is gone is fine."""
        self._fence()
        done = await self._server.request(
            "PATCH",
            kinds.PLATFORM.path(namespace, name) + "/status",
            verb="patch",
            resource=f"{kinds.PLATFORM.resource}/status {name}",
            # not applied: what another version or a hand left in its lists would stay there for ever
            body=[{"op": "add", "path": "/status", "value": status}],
            content_type=_JSON_PATCH,
            params={"fieldManager": names.FIELD_MANAGER},
            missing_is_none=True,
        )
        if done is not None:
            self._wrote(kinds.PLATFORM.kind, "status")

    async def set_finalizer(self, namespace: str, name: str, *, present: bool) -> None:
        """Add or remove the operator's finalizer; a change in between is noticed by the resource version."""
        found = await self.platform(namespace, name)
        if found is None:
            return
        metadata = found["metadata"]
        finalizers = [each for each in metadata.get("finalizers", []) if each != names.FINALIZER]
        if present:
            finalizers.append(names.FINALIZER)
        if finalizers == metadata.get("finalizers", []):
            return
        self._fence()
        await self._server.request(
            "PATCH",
            kinds.PLATFORM.path(namespace, name),
            verb="patch",
            resource=f"{kinds.PLATFORM.resource} {name}",
            body={"metadata": {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}},
            content_type=_MERGE,
            params={"fieldManager": names.FIELD_MANAGER},
            missing_is_none=True,
        )
        self._wrote(kinds.PLATFORM.kind, "finalizer")

    async def tell(self, platform: Manifest, notice: Notice) -> None:
        """Write an event on the platform, equal ones once an hour; failure is logged, never raised."""
        metadata = platform["metadata"]
        key = (metadata["uid"], notice.reason, notice.message)
        now = self._monotonic()
        if now - self._told.get(key, -_NOTICE_AGAIN_SECONDS) < _NOTICE_AGAIN_SECONDS:
            return
        if len(self._told) >= _MAX_REMEMBERED_NOTICES:
            self._told.clear()
        self._told[key] = now
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        suffix = hashlib.sha256(f"{key}{moment}".encode()).hexdigest()[:16]
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{names.shortened(metadata['name'], limit=200)}.{suffix}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": kinds.PLATFORM.api_version,
                "kind": kinds.PLATFORM.kind,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "reason": notice.reason,
            "message": notice.message[:_MAX_EVENT_MESSAGE_CHARS],
            "type": notice.type,
            "count": 1,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "source": {"component": names.FIELD_MANAGER},
            "reportingComponent": names.FIELD_MANAGER,
            "reportingInstance": self._reporter,
        }
        try:
            self._fence()
            await self._server.request(
                "POST",
                kinds.EVENT.path(metadata["namespace"]),
                verb="create",
                resource=kinds.EVENT.resource,
                body=event,
            )
            self._wrote(kinds.EVENT.kind, "create")
        except OperatorError as error:
            self._told.pop(key, None)
            _log.warning("event %s was not written: %s", notice.reason, error)

    def _fence(self) -> None:
        if not self._may_write():
            raise FencedError("this operator does not hold the lease, so it writes nothing")

    async def _get(self, kind: ApiKind, namespace: str, name: str) -> Manifest | None:
        found: Manifest | None = await self._server.request(
            "GET",
            kind.path(namespace, name),
            verb="get",
            resource=f"{kind.resource} {name}",
            missing_is_none=True,
        )
        return found

    async def _list(self, kind: ApiKind, namespace: str, selector: str = "") -> list[Manifest]:
        found: list[Manifest] = []
        params = {"limit": str(_PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            page = await self._server.request(
                "GET", kind.path(namespace), verb="list", resource=kind.resource, params=params
            )
            # the members of a list do not say what they are
            found += [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page["items"]]
            token = page["metadata"].get("continue")
            if not token:
                return found
            params = {**params, "continue": token}


def _selector(platform: str) -> str:
    return f"{names.MANAGED_BY_LABEL}={names.FIELD_MANAGER},{names.INSTANCE_LABEL}={names.label_value(platform)}"
