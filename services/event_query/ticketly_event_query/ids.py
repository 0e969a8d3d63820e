"""Ids as they are stored: lower-case UUID text."""

from __future__ import annotations

from uuid import UUID


def same_id(text: str) -> str:
    """Return an id in its stored form; something that is no UUID is returned as it is and matches nothing."""
    try:
        return str(UUID(text))
    except ValueError:
        return text
