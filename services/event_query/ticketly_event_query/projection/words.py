"""Words for search: the same normalisation for documents and for what people type. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_TERM_CHARACTERS = 200
MAX_WORDS_PER_DOCUMENT = 2000
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Split at white space and punctuation; lower case without accents (``Café-Night`` -> ``cafe``, ``night``)."""
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(character for character in decomposed if not unicodedata.category(character).startswith("M"))
    return _WORD.findall(bare.casefold())


def vocabulary(texts: Iterable[str | None]) -> list[str]:
    """Return the distinct words of all texts, sorted, at most MAX_WORDS_PER_DOCUMENT (the first ones in the text)."""
    found: dict[str, None] = {}
    for text in texts:
        for word in words(text or ""):
            found.setdefault(word)
            if len(found) >= MAX_WORDS_PER_DOCUMENT:
                return sorted(found)
    return sorted(found)
