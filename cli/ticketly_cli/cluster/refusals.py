"""What an API server's refusals mean for the person who typed the command. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from ticketly_cli.errors import CliError, ExitCode
from ticketly_crds.spec import KIND

_MALFORMED: Final = "failed to create typed patch object"
"""The API server answers 500 to an apply of a wrong type or an unknown field."""

_MAX_SAID_CHARS: Final = 800
_CONFLICT: Final = re.compile(r'conflict with "(?P<manager>[^"]*)"')


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that somebody else set: its path as the server writes it, and the manager."""

    field: str
    manager: str

    def __str__(self) -> str:
        return f"{self.field} (set by {self.manager})"


class ApiError(CliError):
    """A refusal. `status` is the HTTP status, 0 when there was no answer."""

    def __init__(
        self,
        message: str,
        next_step: str = "",
        exit_code: int = ExitCode.FAILED,
        *,
        status: int = 0,
        said: str = "",
        conflicts: tuple[Conflict, ...] = (),
        kind_unknown: bool = False,
    ) -> None:
        super().__init__(message, next_step, exit_code)
        self.status = status
        self.said = said
        self.conflicts = conflicts
        self.kind_unknown = kind_unknown


def unreachable(server: str, context: str, reason: str) -> ApiError:
    """Nobody answers at the address."""
    return ApiError(
        f"The API server {server} of context {context} does not answer: {' '.join(reason.split())[:300]}.",
        "Check the network and the address in the kubeconfig, or choose another cluster with --context.",
        ExitCode.UNREACHABLE,
    )


def refusal(status: int, content: bytes, context: str, verb: str, resource: str) -> ApiError:
    """An answer that is no success."""
    body = _body(content)
    said = _said(body, content, status)
    kind = resource.split(" ", 1)[0]
    match status:
        case HTTPStatus.UNAUTHORIZED:
            message = f"The cluster does not accept the credentials of context {context}: expired or wrong."
            step = "Log in again (or renew the token in the kubeconfig), then repeat the command."
            return ApiError(message, step, ExitCode.UNREACHABLE, status=status, said=said)
        case HTTPStatus.FORBIDDEN:
            message = f"You may not {verb} {resource}: {said}"
            step = f"Ask for a role that allows `{verb}` on `{kind}`; check with `kubectl auth can-i {verb} {kind}`."
            return ApiError(message, step, ExitCode.UNREACHABLE, status=status, said=said)
        case HTTPStatus.NOT_FOUND if _is_kind_unknown(body) and kind.endswith("ticketly.io"):
            message = f"The cluster of context {context} does not know {KIND}: ticketly is not installed there."
            step = "Install it with `ticketly install`."
            return ApiError(message, step, ExitCode.UNREACHABLE, status=status, said=said, kind_unknown=True)
        case HTTPStatus.NOT_FOUND:
            unknown = _is_kind_unknown(body)
            message = f"{verb} {resource}: {said}"
            return ApiError(message, "", ExitCode.FAILED, status=status, said=said, kind_unknown=unknown)
        case HTTPStatus.CONFLICT:
            message = f"{verb} {resource}: {said}"
            return ApiError(message, "", ExitCode.FAILED, status=status, said=said, conflicts=_conflicts(body))
        case HTTPStatus.UNPROCESSABLE_ENTITY | HTTPStatus.BAD_REQUEST:
            return _invalid(status, said, verb, resource)
        case _ if _MALFORMED in said:
            return _invalid(HTTPStatus.UNPROCESSABLE_ENTITY, said, verb, resource)
        case _:
            message = f"The API server of context {context} could not {verb} {resource}: {said}"
            return ApiError(message, "Try again in a moment.", ExitCode.UNREACHABLE, status=status, said=said)


def _invalid(status: int, said: str, verb: str, resource: str) -> ApiError:
    message = f"The API server refuses to {verb} {resource}: {said}"
    return ApiError(message, "", ExitCode.BAD_ARGUMENTS, status=status, said=said)


def _body(content: bytes) -> dict[str, Any]:
    try:
        decoded = json.loads(content)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _said(body: dict[str, Any], content: bytes, status: int) -> str:
    text = str(body.get("message", "")) or content.decode(errors="replace")
    return " ".join(text.split())[:_MAX_SAID_CHARS] or f"status {status}"


def _is_kind_unknown(body: dict[str, Any]) -> bool:
    """An object that is missing is named in the details; a path that leads nowhere is not."""
    return not (body.get("details") or {}).get("name")


def _conflicts(body: dict[str, Any]) -> tuple[Conflict, ...]:
    found = []
    for cause in (body.get("details") or {}).get("causes") or ():
        match = _CONFLICT.search(str(cause.get("message", "")))
        if cause.get("reason") == "FieldManagerConflict" and match:
            found.append(Conflict(str(cause.get("field", "")).removeprefix("."), match["manager"]))
    return tuple(found)
