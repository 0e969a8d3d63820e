"""Keeps secrets out of whatever text passes through: engine messages, errors, outputs. Pure.

Pulumi masks the secrets it knows. This is the second line: values of the environment that are secret by name, and
shapes that are secret by nature.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

MASK: Final = "[secret]"

_SECRET_NAME: Final = re.compile(r"(?i)(secret|password|passphrase|token|credential|private_?key|api_?key)")
_SHORTEST: Final = 6
"""A shorter value is no secret worth the name, and masking it would shred ordinary words."""

_SHAPES: Final = (
    re.compile(r"(?<=://)[^\s/:@\"']+:[^\s/@\"']+(?=@)"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{8,}|\bwhsec_[A-Za-z0-9]{8,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
    re.compile(r"(?i)(?<=password=)[^\s&\"',;]+|(?<=passphrase=)[^\s&\"',;]+"),
)
_NOT_SECRET: Final = re.compile(r"(?i)(arn|ref|url|uri|id|name|path|file|field|key)s?$")
"""Endings of names that point to a secret instead of holding one, such as `databaseSecretArn`."""


def secrets_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Values of variables whose name says that they are secret, longest first."""
    values = {
        value
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST and not name.endswith(("_FILE", "_PATH", "_ARN"))
    }
    return tuple(sorted(values, key=len, reverse=True))


def redactor(secrets: Iterable[str] = ()) -> Callable[[str], str]:
    """A function that masks these values and everything that looks like a secret."""
    known = tuple(secrets)

    def redact(text: str) -> str:
        for value in known:
            text = text.replace(value, MASK)
        for shape in _SHAPES:
            text = shape.sub(MASK, text)
        return text

    return redact


def masked_tree(value: Any, redact: Callable[[str], str]) -> Any:
    """The same JSON value with every text redacted, and every text under a secret name masked as a whole."""
    if isinstance(value, Mapping):
        return {
            str(name): MASK if _holds_a_secret(str(name), inner) else masked_tree(inner, redact)
            for name, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked_tree(inner, redact) for inner in value]
    return redact(value) if isinstance(value, str) else value


def _holds_a_secret(name: str, value: Any) -> bool:
    if not isinstance(value, str) or value.startswith("arn:"):
        return False
    return bool(_SECRET_NAME.search(name)) and not _NOT_SECRET.search(name)
