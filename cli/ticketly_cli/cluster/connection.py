"""One authenticated connection to the API server of a context, over its REST interface with plain JSON.

lightkube reads the kubeconfig and authenticates; the requests are made here, as in the operator. Everything that goes
wrong becomes one sentence with its next step (`ApiError`), so that no other module translates status codes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import httpx2
from lightkube.config import client_adapter
from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError

from ticketly_cli.cluster.kinds import PLATFORM, ApiKind
from ticketly_cli.cluster.kubeconfigs import Choice, no_credentials, selected
from ticketly_cli.cluster.refusals import ApiError, refusal, unreachable
from ticketly_cli.results import JsonObject

FIELD_MANAGER: Final = "ticketly-cli"
"""Whose fields those are that a person sets through this command."""

_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_PAGE: Final = 500
_TIMEOUT_SECONDS: Final = 20.0
_ATTEMPTS: Final = 4
_PAUSE_SECONDS: Final = 0.5
_BUSY: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})


class Api:
    """Requests to one API server. `namespace` is the chosen one, else the context's, else `default`."""

    def __init__(self, config: SingleConfig, namespace: str, context: str) -> None:
        self.context = context
        self.server = config.cluster.server
        self.namespace = namespace or config.namespace
        parameters = client_adapter.ConnectionParams(timeout=httpx2.Timeout(_TIMEOUT_SECONDS), trust_env=False)
        self._http = client_adapter.Client(config, parameters)

    def close(self) -> None:
        """Closes all connections."""
        self._http.close()

    def get(self, kind: ApiKind, namespace: str, name: str) -> JsonObject | None:
        """One object, None when there is none."""
        found: JsonObject | None = self._request("GET", kind.path(namespace, name), "get", f"{kind.resource} {name}")
        return found

    def list(self, kind: ApiKind, namespace: str = "", selector: str = "") -> list[JsonObject]:
        """All objects of a kind in a namespace, or everywhere. Raises ApiError when the kind is not served."""
        found: list[JsonObject] = []
        params = {"limit": str(_PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            page = self._request("GET", kind.path(namespace), "list", kind.resource, params=params, missing=False)
            # the members of a list do not say what they are
            found += [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in page["items"]]
            token = page["metadata"].get("continue")
            if not token:
                return found
            params = {**params, "continue": token}

    def apply(
        self, kind: ApiKind, manifest: JsonObject, *, manager: str = FIELD_MANAGER, force: bool, dry_run: bool = False
    ) -> JsonObject:
        """Server-side apply; the object as it is (or would be) afterwards. Raises ApiError, a conflict with causes."""
        metadata = manifest["metadata"]
        name = metadata["name"]
        params = {"fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Strict"}
        if dry_run:
            params["dryRun"] = "All"
        found: JsonObject = self._request(
            "PATCH",
            kind.path(metadata.get("namespace", ""), name),
            "patch",
            f"{kind.resource} {name}",
            body=manifest,
            headers={"Content-Type": _APPLY},
            params=params,
            missing=False,
        )
        return found

    def merge(self, kind: ApiKind, namespace: str, name: str, change: JsonObject) -> JsonObject | None:
        """Merge patch as this command's manager; None when the object is gone."""
        found: JsonObject | None = self._request(
            "PATCH",
            kind.path(namespace, name),
            "patch",
            f"{kind.resource} {name}",
            body=change,
            headers={"Content-Type": _MERGE},
            params={"fieldManager": FIELD_MANAGER},
        )
        return found

    def create(self, kind: ApiKind, manifest: JsonObject, *, dry_run: bool = False) -> JsonObject:
        """Create an object. Raises ApiError, 409 when there is one."""
        metadata = manifest["metadata"]
        params = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
        found: JsonObject = self._request(
            "POST",
            kind.path(metadata.get("namespace", "")),
            "create",
            f"{kind.resource} {metadata['name']}",
            body=manifest,
            params=params,
            missing=False,
        )
        return found

    def delete(self, kind: ApiKind, namespace: str, name: str, *, wait_for_dependents: bool = False) -> bool:
        """Delete an object; False when there was none."""
        body = {"propagationPolicy": "Foreground" if wait_for_dependents else "Background"}
        path = kind.path(namespace, name)
        return self._request("DELETE", path, "delete", f"{kind.resource} {name}", body=body) is not None

    def served(self, group: str, version: str) -> frozenset[str]:
        """The kinds of a group that this server serves, empty for an unknown group."""
        try:
            found = self._request("GET", f"/apis/{group}/{version}", "discover", group)
        except ApiError as error:
            if not error.kind_unknown:
                raise
            # our own group, of which a definition that was accepted just now is not served yet
            found = None
        return frozenset(each["kind"] for each in (found or {}).get("resources", []) if "/" not in each["name"])

    def version(self) -> str:
        """The server's own version, `v1.36.4`."""
        return str((self._request("GET", "/version", "get", "version") or {}).get("gitVersion", ""))

    def text(self, path: str, verb: str, resource: str, params: Mapping[str, str] | None = None) -> str:
        """An answer that is not JSON, such as a log. Raises ApiError."""
        try:
            answer = self._http.get(path, params=params, headers={"Accept": "*/*"})
        except httpx2.HTTPError as error:
            raise unreachable(self.server, self.context, str(error) or type(error).__name__) from None
        except ConfigError as error:
            raise no_credentials(self.context, error) from None
        if not answer.is_success:
            raise refusal(answer.status_code, answer.content, self.context, verb, resource)
        return answer.text

    @contextmanager
    def lines(self, path: str, verb: str, resource: str, params: Mapping[str, str]) -> Iterator[Iterator[str]]:
        """The lines of an answer that goes on, such as a followed log. Raises ApiError when it does not begin."""
        wait = httpx2.Timeout(_TIMEOUT_SECONDS, read=None)
        try:
            with self._http.stream("GET", path, params=params, headers={"Accept": "*/*"}, timeout=wait) as answer:
                if not answer.is_success:
                    raise refusal(answer.status_code, answer.read(), self.context, verb, resource)
                yield answer.iter_lines()
        except httpx2.HTTPError as error:
            raise unreachable(self.server, self.context, str(error) or type(error).__name__) from None

    def _request(
        self,
        method: str,
        path: str,
        verb: str,
        resource: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        missing: bool = True,
    ) -> Any:
        """The decoded answer; with `missing` None for an object that is not there. Raises ApiError."""
        sent = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
        content = None if body is None else json.dumps(body)
        answer = self._answer(method, path, content, sent, params)
        if answer.is_success:
            return answer.json() if answer.content else {}
        refused = refusal(answer.status_code, answer.content, self.context, verb, resource)
        if missing and answer.status_code == HTTPStatus.NOT_FOUND and not (refused.kind_unknown and _ours(path)):
            return None
        raise refused

    def _answer(
        self, method: str, path: str, content: str | None, headers: Mapping[str, str], params: Mapping[str, str] | None
    ) -> httpx2.Response:
        """The server's answer; a dropped connection and a busy server are tried again where that is harmless."""
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS or method == "POST"
            try:
                answer = self._http.request(method, path, content=content, headers=headers, params=params)
            except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError) as error:
                if last:
                    raise unreachable(self.server, self.context, str(error) or type(error).__name__) from None
            except httpx2.HTTPError as error:
                raise unreachable(self.server, self.context, str(error) or type(error).__name__) from None
            except ConfigError as error:
                raise no_credentials(self.context, error) from None
            else:
                if last or answer.status_code not in _BUSY:
                    return answer
            time.sleep(_PAUSE_SECONDS * attempt)
        raise AssertionError("the last attempt returns or raises")


def _ours(path: str) -> bool:
    """An unknown definition of ours is never "no such object": it means that nothing is installed."""
    return path.startswith(f"/apis/{PLATFORM.group}/")


@contextmanager
def connected(choice: Choice) -> Iterator[Api]:
    """The API server a person chose. Raises CliError (exit code 4) without a usable kubeconfig or context."""
    config, context = selected(choice)
    api = _opened(config, choice.namespace, context)
    try:
        yield api
    finally:
        api.close()


def _opened(config: SingleConfig, namespace: str, context: str) -> Api:
    if config.user is None:
        config = config._replace(user=User())
    try:
        return Api(config, namespace, context)
    except (ConfigError, OSError, ValueError) as error:
        raise no_credentials(context, error) from None


__all__ = ["FIELD_MANAGER", "Api", "ApiError", "Choice", "connected"]
