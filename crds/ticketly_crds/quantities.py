"""Quantities, durations and addresses as text: parsed and checked, never resolved or dialled."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

_SUFFIXES: Final = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
}
_QUANTITY: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([A-Za-z]{0,2})")
_DURATION: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_DURATION_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")


def parse_quantity(text: str) -> Decimal:
    """Return a Kubernetes quantity in its unit (bytes, cores): ``1Gi`` -> 1073741824, ``250m`` -> 0.25.

    Raises ValueError for text that is no quantity.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in _SUFFIXES:
        raise ValueError("must be a quantity such as 512Mi, 1Gi or 250m")
    return Decimal(match[1]) * _SUFFIXES[match[2]]


def parse_bytes(text: str) -> int:
    """Return a whole number of bytes; raise ValueError for a fraction of a byte."""
    amount = parse_quantity(text)
    if amount != amount.to_integral_value():
        raise ValueError("must be a whole number of bytes")
    return int(amount)


def parse_duration_ms(text: str) -> int:
    """Return milliseconds of ``15s``, ``250ms``, ``2h``; raise ValueError for anything else."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("must be a duration such as 500ms, 1s, 5m or 2h")
    return int(match[1]) * _DURATION_MS[match[2]]


def _quantity(text: str) -> str:
    parse_quantity(text)
    return text


def _byte_quantity(text: str) -> str:
    parse_bytes(text)
    return text


def _duration(text: str) -> str:
    if parse_duration_ms(text) == 0:
        raise ValueError("must be longer than zero")
    return text


def _host(text: str) -> str:
    if _HOST.fullmatch(text) is None:
        raise ValueError("must be a host name in lower case or an IPv4 address, without scheme and port")
    return text


def _optional_host(text: str) -> str:
    return _host(text) if text else text


def _port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


def _host_ports(text: str) -> str:
    for part in text.split(","):
        host, colon, port = part.strip().rpartition(":")
        if not colon or _HOST.fullmatch(host) is None or not _port(port):
            raise ValueError("must be host:port, several separated by commas")
    return ",".join(part.strip() for part in text.split(","))


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("must be an http or https URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or _HOST.fullmatch(parts.hostname) is None:
        raise ValueError("must be an http or https URL")
    if port == 0 or parts.query or parts.fragment or any(mark.isspace() for mark in text):
        raise ValueError("must be an http or https URL without query and fragment")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not contain credentials: use a secret reference")
    return text.rstrip("/")


def _optional_url(text: str) -> str:
    return _url(text) if text else text


def _origin(text: str) -> str:
    url = _url(text)
    if urlsplit(url).path:
        raise ValueError("must be an origin: scheme, host and port without a path")
    return url


def _time_zone(text: str) -> str:
    if _ZONE.fullmatch(text) is None:
        raise ValueError("must be an IANA time zone such as Asia/Colombo or UTC")
    return text


Quantity = Annotated[str, Field(max_length=32), AfterValidator(_quantity)]
ByteQuantity = Annotated[str, Field(max_length=32), AfterValidator(_byte_quantity)]
Duration = Annotated[str, Field(max_length=16), AfterValidator(_duration)]
Host = Annotated[str, Field(max_length=253), AfterValidator(_host)]
OptionalHost = Annotated[str, Field(max_length=253), AfterValidator(_optional_host)]
HostPorts = Annotated[str, Field(max_length=1024), AfterValidator(_host_ports)]
Url = Annotated[str, Field(max_length=1024), AfterValidator(_url)]
OptionalUrl = Annotated[str, Field(max_length=1024), AfterValidator(_optional_url)]
Origin = Annotated[str, Field(max_length=256), AfterValidator(_origin)]
TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_time_zone)]
Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP port that somebody else chose; 0 (any free one) makes no sense in a description."""
