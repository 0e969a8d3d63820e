"""The multipart body of a create request: one field ``request`` with JSON, up to five files ``coverImages``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.datastructures import UploadFile

from ticketly_common.problems import Problem, invalid, malformed
from ticketly_event_command.limits import MOST_COVER_PHOTOS

MOST_REQUEST_BYTES: Final = 32 * 1024 * 1024
_PARSER_LIMIT: Final = 1024 * 1024 * 1024
"""The parser's own limit answers 400; ours answers 413, and the body limit of the listener bounds both."""


@dataclass(frozen=True)
class CreateForm:
    """What was sent: the JSON text and the images' bytes in order."""

    request: bytes
    images: tuple[bytes, ...]


async def read_form(request: Request) -> CreateForm:
    """Read the body.

    Raises 400 without the field ``request`` or for a broken body, 413 when the field is too large, 422 for too
    many images.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise malformed("The body must be multipart/form-data with a field named request.")
    async with request.form(max_part_size=_PARSER_LIMIT) as form:
        text = form.get("request")
        if text is None:
            raise malformed("The field named request is missing.")
        body = await text.read() if isinstance(text, UploadFile) else text.encode()
        if len(body) > MOST_REQUEST_BYTES:
            raise Problem(413, "payload-too-large", f"The field request may have at most {MOST_REQUEST_BYTES} bytes.")
        images = [part for part in form.getlist("coverImages") if isinstance(part, UploadFile)]
        contents = [await image.read() for image in images if image.filename or image.size]
    # Browsers send one empty part for an empty file input.
    contents = [content for content in contents if content]
    if len(contents) > MOST_COVER_PHOTOS:
        raise invalid({"coverImages": f"must be at most {MOST_COVER_PHOTOS}"})
    return CreateForm(body, tuple(contents))
