"""Quantities, durations, instants and addresses as text: parsed and checked, never resolved or dialled.

Each is defined by one pattern that Python and the API server's RE2 read alike. The parser explains a mismatch in
words, so the pattern is not pydantic's to check; the schema shows it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

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
_QUANTITY_PATTERN: Final = r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(n|u|m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?"
_DURATION_PATTERN: Final = r"([1-9][0-9]{0,8})(ms|s|m|h|d)"
_LABEL_PATTERN: Final = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST_PATTERN: Final = rf"{_LABEL_PATTERN}(\.{_LABEL_PATTERN})*"
_PORT_PATTERN: Final = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST_PORTS_PATTERN: Final = rf" *{_HOST_PATTERN}:{_PORT_PATTERN} *(, *{_HOST_PATTERN}:{_PORT_PATTERN} *)*"
_ORIGIN_PATTERN: Final = rf"https?://{_HOST_PATTERN}(:{_PORT_PATTERN})?/*"
_URL_PATTERN: Final = rf'https?://{_HOST_PATTERN}(:{_PORT_PATTERN})?(/[!"$->@-~]*)?'
_ZONE_PATTERN: Final = "[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}"
_INSTANT_PATTERN: Final = (
    "2[0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?"
    "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
_DURATION_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


PATTERN_NAMES: Final[dict[str, str]] = {}
"""What a pattern of this module is called where it would be too long to read."""


def _shown(pattern: str, name: str) -> Any:
    """Show a pattern in the schema; the parser checks the same pattern with words of its own."""
    PATTERN_NAMES[f"^{pattern}$"] = name
    return Field(json_schema_extra={"pattern": f"^{pattern}$"})


def _fits(pattern: str, text: str) -> re.Match[str] | None:
    return re.fullmatch(pattern, text)


def parse_quantity(text: str) -> Decimal:
    """Return a Kubernetes quantity in its unit (bytes, cores): ``1Gi`` -> 1073741824, ``250m`` -> 0.25.

    Raises ValueError for text that is no quantity.
    """
    match = _fits(_QUANTITY_PATTERN, text)
    if match is None:
        raise ValueError("must be a quantity such as 512Mi, 1Gi or 250m")
    return Decimal(match[1]) * _SUFFIXES[match[2] or ""]


def parse_bytes(text: str) -> int:
    """Return a whole number of bytes; raise ValueError for a fraction of a byte."""
    amount = parse_quantity(text)
    if amount != amount.to_integral_value():
        raise ValueError("must be a whole number of bytes")
    return int(amount)


def parse_duration_ms(text: str) -> int:
    """Return milliseconds of ``15s``, ``250ms``, ``2h``; raise ValueError for anything else, also for zero."""
    match = _fits(_DURATION_PATTERN, text)
    if match is None:
        zero = re.fullmatch("0+(ms|s|m|h|d)", text)
        raise ValueError("must be longer than zero" if zero else "must be a duration such as 500ms, 1s, 5m or 2h")
    return int(match[1]) * _DURATION_MS[match[2]]


def _quantity(text: str) -> str:
    parse_quantity(text)
    return text


def _byte_quantity(text: str) -> str:
    parse_bytes(text)
    return text


def _duration(text: str) -> str:
    parse_duration_ms(text)
    return text


def _host(text: str) -> str:
    if not _fits(_HOST_PATTERN, text):
        raise ValueError("must be a host name in lower case or an IPv4 address, without scheme and port")
    return text


def _optional_host(text: str) -> str:
    return _host(text) if text else text


def _host_ports(text: str) -> str:
    if not _fits(_HOST_PORTS_PATTERN, text):
        raise ValueError("must be host:port, several separated by commas")
    return text.replace(" ", "")


def _url(text: str) -> str:
    if _fits(_URL_PATTERN, text):
        return text.rstrip("/")
    authority = re.match(r"https?://([^/?#]*)", text)
    if authority and "@" in authority[1]:
        raise ValueError("must not contain credentials: use a secret reference")
    if authority and re.search(r"[?#\s]", text):
        raise ValueError("must be an http or https URL without query and fragment")
    raise ValueError("must be an http or https URL")


def _optional_url(text: str) -> str:
    return _url(text) if text else text


def _origin(text: str) -> str:
    url = _url(text)
    if not _fits(_ORIGIN_PATTERN, text):
        raise ValueError("must be an origin: scheme, host and port without a path")
    return url


def _time_zone(text: str) -> str:
    if not _fits(_ZONE_PATTERN, text):
        raise ValueError("must be an IANA time zone such as Asia/Colombo or UTC")
    return text


def _instant(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and _fits(_INSTANT_PATTERN, value):
        return value
    if isinstance(value, str) and _fits(_INSTANT_PATTERN, f"{value}Z"):
        raise ValueError("must carry a time zone, such as 2027-03-01T09:00:00Z")
    raise ValueError("must be an instant such as 2027-03-01T09:00:00Z or 2027-03-01T14:30:00+05:30")


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("must carry a time zone, such as 2027-03-01T09:00:00Z")
    return moment.astimezone(UTC)


Quantity = Annotated[str, Field(max_length=32), _shown(_QUANTITY_PATTERN, "quantity"), AfterValidator(_quantity)]
ByteQuantity = Annotated[
    str, Field(max_length=32), _shown(_QUANTITY_PATTERN, "quantity"), AfterValidator(_byte_quantity)
]
Duration = Annotated[str, Field(max_length=16), _shown(_DURATION_PATTERN, "duration"), AfterValidator(_duration)]
Host = Annotated[str, Field(max_length=253), _shown(_HOST_PATTERN, "host name or IPv4 address"), AfterValidator(_host)]
OptionalHost = Annotated[
    str,
    Field(max_length=253),
    _shown(f"({_HOST_PATTERN})?", "host name, IPv4 address or empty"),
    AfterValidator(_optional_host),
]
HostPorts = Annotated[
    str,
    Field(max_length=1024),
    _shown(_HOST_PORTS_PATTERN, "host:port, several separated by commas"),
    AfterValidator(_host_ports),
]
Url = Annotated[str, Field(max_length=1024), _shown(_URL_PATTERN, "http or https URL"), AfterValidator(_url)]
OptionalUrl = Annotated[
    str,
    Field(max_length=1024),
    _shown(f"({_URL_PATTERN})?", "http or https URL or empty"),
    AfterValidator(_optional_url),
]
Origin = Annotated[
    str, Field(max_length=256), _shown(_ORIGIN_PATTERN, "origin: scheme, host and port"), AfterValidator(_origin)
]
TimeZone = Annotated[str, Field(max_length=64), _shown(_ZONE_PATTERN, "IANA time zone"), AfterValidator(_time_zone)]
Instant = Annotated[
    datetime,
    Field(strict=False),  # after a validator of our own, text no longer counts as JSON
    _shown(_INSTANT_PATTERN, "RFC 3339 with zone"),
    BeforeValidator(_instant),
    AfterValidator(_utc),
]
"""An instant of this millennium, with its zone; held in UTC."""
Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP port that somebody else chose; 0 (any free one) makes no sense in a description."""
