"""Which bytes are an image, and addresses that carry their own permission. Pure; the clock is an argument."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from ticketly_common.problems import Problem

CONTENT_TYPES: Final = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
SIGNATURE_LIFETIME: Final = timedelta(minutes=60)
FILES_PATH: Final = "/api/event-seating/v1/files"
_NAME: Final = re.compile(r"(cover-photos|logos)/([0-9a-f-]{36})(-[0-9a-f]{8})?\.(jpg|png|gif|webp)")


def extension_of(content: bytes) -> str | None:
    """Return the file extension that the first bytes prove, None for anything that is no accepted image."""
    if content.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return None


def accept(content: bytes, *, most_bytes: int) -> str:
    """Return the extension; raises 413 when too large and 415 when the bytes are no accepted image."""
    if len(content) > most_bytes:
        raise Problem(413, "payload-too-large", f"An image may have at most {most_bytes} bytes.")
    extension = extension_of(content)
    if extension is None:
        raise Problem(415, "unsupported-media-type", "Images must be JPEG, PNG, WebP or GIF.")
    return extension


def cover_photo_name(photo_id: UUID, extension: str) -> str:
    """Return the object name; its last segment is what clients cut the photo's id out of."""
    return f"cover-photos/{photo_id}.{extension}"


def logo_name(organization_id: UUID, nonce: str, extension: str) -> str:
    """Return the object name; a nonce of 8 hex digits makes a new logo a new address for every cache."""
    return f"logos/{organization_id}-{nonce}.{extension}"


def name_in(address: str) -> str:
    """Return the object name of a stored address (its last two segments)."""
    return "/".join(address.split("?")[0].rsplit("/", 2)[-2:])


def parse_name(name: str) -> tuple[str, UUID, str] | None:
    """Return (kind, id, content type) of an object name, None when it is none."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        return found[1], UUID(found[2]), CONTENT_TYPES[found[4]]
    except ValueError:
        return None


class SignedAddresses:
    """Addresses below the platform's origin; a signature is an HMAC over name and expiry.

    ``secret`` is never sent. Whoever holds a signed address may fetch the object until it expires.
    """

    def __init__(self, public_url: str, secret: bytes, now: Callable[[], datetime]) -> None:
        self._origin = public_url.rstrip("/") + FILES_PATH
        self._secret = secret
        self._now = now

    def plain(self, name: str) -> str:
        """Return the lasting address."""
        return f"{self._origin}/{name}"

    def signed(self, name: str) -> str:
        """Return an address that works for 60 minutes."""
        expires = str(int((self._now() + SIGNATURE_LIFETIME).timestamp()))
        return f"{self._origin}/{name}?expires={expires}&signature={self._sign(name, expires)}"

    def allows(self, name: str, expires: str, signature: str) -> bool:
        """Say whether a signature is ours and not expired."""
        if not expires.isascii() or not expires.isdigit() or len(expires) > 12 or not signature.isascii():
            return False
        genuine = hmac.compare_digest(self._sign(name, expires), signature)
        return genuine and int(expires) > self._now().timestamp()

    def _sign(self, name: str, expires: str) -> str:
        return hmac.new(self._secret, f"{name}\n{expires}".encode(), hashlib.sha256).hexdigest()


def signing_secret(client_secret: str) -> bytes:
    """Derive the key of file addresses from the service's client secret, so that there is one secret less to keep."""
    return hmac.new(client_secret.encode(), b"ticketly file addresses", hashlib.sha256).digest()
