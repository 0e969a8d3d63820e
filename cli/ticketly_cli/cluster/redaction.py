"""Keeps credentials out of whatever text goes into a bundle or onto a screen. Pure.

The second line of defence: Secrets are never fetched for a bundle. This is for what others wrote into logs, events and
messages: logins in URLs, bearer tokens, JSON Web Tokens, keys of providers, values beside a telling name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "[redacted]"

_NAME: Final = (
    r"(?:[a-z0-9_.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|credentials?)[a-z0-9_-]*"
    r"|authorization|cookie|set-cookie)(?<!name)(?<!ref)(?<!path)(?<!file)"
)
_SHAPES: Final = (
    # a login in a URL; the user's name goes as well
    (re.compile(r"(?<=://)[^\s/\"'<>]+(?=@)"), MASK),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){1,4}"), MASK),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/_.~=-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{6,}|\bwhsec_[A-Za-z0-9]{6,}"), MASK),
    # name=value, name: value, "name": "value", the same inside a text of JSON; a quoted value ends at its own quote
    (re.compile(
        rf"(?is)(?P<head>\b{_NAME}\\*[\"']?[ \t]*[=:][ \t]*)(?P<quote>\\*[\"'])"
        r"(?:(?!(?P=quote))\\.|(?!(?P=quote)).)*(?P=quote)"
     ), rf"\g<head>\g<quote>{MASK}\g<quote>"),
    (re.compile(rf"(?i)(?P<head>\b{_NAME}[ \t]*[=:][ \t]*)(?![\"'\s\\\[{{])[^\s&\"']+"), rf"\g<head>{MASK}"),
)  # fmt: skip
_SECRET_NAME: Final = re.compile(rf"(?i)^{_NAME}$")
_POINTS_ELSEWHERE: Final = re.compile(r"(?i)(ref|refs|name|names|path|file|version|versions|arn|token_seconds)$")
"""A name with such an end tells where a secret is, not what it is."""


def redact(text: str) -> str:
    """The same text without credentials."""
    for shape, instead in _SHAPES:
        text = shape.sub(instead, text)
    return text


def redact_tree(value: Any) -> Any:
    """The same JSON value: every text redacted, and every text under a telling name masked as a whole."""
    if isinstance(value, Mapping):
        return {str(name): MASK if _telling(str(name), inner) else redact_tree(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact_tree(inner) for inner in value]
    return redact(value) if isinstance(value, str) else value


def _telling(name: str, value: Any) -> bool:
    if not isinstance(value, str) or not value:
        return False
    return bool(_SECRET_NAME.match(name)) and not _POINTS_ELSEWHERE.search(name)
