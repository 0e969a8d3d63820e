"""What all routers share: the wired parts, access words, reading bodies, and turning answers into responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends, Request, Response

from ticketly_common.auth import Access, Caller, Requires
from ticketly_event_command.access import user_id
from ticketly_event_command.answers import Answer, Rendered, render
from ticketly_event_command.idempotency import Attempt, digest, once, read_key
from ticketly_event_command.ports import Parts, Transaction

PREFIX: Final = "/api/event-seating"


def wired(request: Request) -> Parts:
    """Return the parts that the composition root put into the application."""
    parts: Parts = request.app.state.parts
    return parts


Wired = Annotated[Parts, Depends(wired)]
User = Annotated[Caller, Depends(Requires(Access.USER))]
Owner = Annotated[Caller, Depends(Requires(Access.OWNER))]
OwnerOrScanner = Annotated[Caller, Depends(Requires(Access.SCANNER))]
EventAdmin = Annotated[Caller, Depends(Requires(Access.ROLE, "event_admin"))]
CategoryAdmin = Annotated[Caller, Depends(Requires(Access.ROLE, "category_admin"))]
OrganizationAdmin = Annotated[Caller, Depends(Requires(Access.ROLE, "organization_admin"))]
ServiceCaller = Annotated[Caller, Depends(Requires(Access.SERVICE))]


def if_match(request: Request) -> str | None:
    """Return the ``If-Match`` header."""
    return request.headers.get("if-match")


IfMatch = Annotated[str | None, Depends(if_match)]


def respond(answer: Answer | Rendered) -> Response:
    """Return the HTTP form: exactly ``application/json``, or an empty body with ``Content-Length: 0``."""
    rendered = answer if isinstance(answer, Rendered) else render(answer)
    response = Response(rendered.content, status_code=rendered.status)
    if rendered.content:
        response.headers["content-type"] = "application/json"
    if rendered.tag is not None:
        response.headers["etag"] = rendered.tag
    if rendered.replayed:
        response.headers["idempotent-replay"] = "true"
    response.headers["cache-control"] = "no-store"
    return response


async def create_once(
    request: Request,
    parts: Parts,
    caller: Caller,
    sent: tuple[bytes, ...],
    effect: Callable[[Transaction], Awaitable[Answer]],
) -> Response:
    """Run a creating request under its ``Idempotency-Key``, if any; ``sent`` is what the client sent."""
    attempt = Attempt(
        subject=user_id(caller),
        route=f"{request.method} {request.url.path}",
        key=read_key(request.headers.get("idempotency-key")),
        digest=digest(*sent),
    )
    return respond(await once(parts.database, attempt, effect))
