"""Pages: parameters with their aliases and the envelope of contract 0.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ticketly_common.problems import invalid, malformed

MAX_SIZE = 100


@dataclass(frozen=True, slots=True)
class Order:
    """One sort criterion: a wire field name and a direction."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class PageRequest:
    """``number`` counts from 0; ``size`` is 1..100; ``orders`` in priority (the store adds the id as last one)."""

    number: int
    size: int
    orders: tuple[Order, ...]

    @property
    def offset(self) -> int:
        """Return how many elements come before this page."""
        return self.number * self.size


def page_request(
    query: Sequence[tuple[str, str]],
    *,
    default_size: int,
    default_sort: Sequence[str],
    sortable: Sequence[str],
) -> PageRequest:
    """Read ``page``, ``size``, ``sort`` (or ``pageable.*``) from the query's pairs.

    ``default_sort`` holds ``field,direction`` texts. A larger size is clamped to 100; an unknown sort field or
    direction is 422; a page or size that is no number is 400.
    """
    values: dict[str, str] = {}
    sorts: list[str] = []
    for name, value in query:
        key = name.removeprefix("pageable.")
        if key == "sort":
            sorts.append(value)
        elif key in {"page", "size"}:
            values.setdefault(key, value)
    number = _integer("page", values.get("page"), 0)
    size = _integer("size", values.get("size"), default_size)
    if number < 0:
        raise invalid({"page": "must be 0 or greater"})
    if size < 1:
        raise invalid({"size": "must be 1 or greater"})
    orders = tuple(_order(text, sortable) for text in (sorts or default_sort) if text)
    return PageRequest(number=number, size=min(size, MAX_SIZE), orders=orders)


def _integer(name: str, text: str | None, default: int) -> int:
    if text is None or text == "":
        return default
    try:
        return int(text)
    except ValueError:
        raise malformed(f"{name}: must be a whole number") from None


def _order(text: str, sortable: Sequence[str]) -> Order:
    field, _, direction = text.partition(",")
    if field not in sortable:
        raise invalid({"sort": f"cannot sort by {field!r}; possible: {', '.join(sortable)}"})
    if direction.lower() not in {"", "asc", "desc"}:
        raise invalid({"sort": f"direction must be asc or desc, not {direction!r}"})
    return Order(field, descending=direction.lower() == "desc")


def envelope(content: Sequence[Any], total: int, request: PageRequest) -> dict[str, Any]:
    """Return the page object of contract 0.3 for ``content``, out of ``total`` elements."""
    pages = -(-total // request.size)
    ordering: Mapping[str, bool] = {
        "sorted": bool(request.orders),
        "unsorted": not request.orders,
        "empty": not request.orders,
    }
    return {
        "content": list(content),
        "totalElements": total,
        "totalPages": pages,
        "number": request.number,
        "size": request.size,
        "numberOfElements": len(content),
        "first": request.number == 0,
        "last": request.number >= pages - 1,
        "empty": not content,
        "sort": ordering,
        "pageable": {
            "pageNumber": request.number,
            "pageSize": request.size,
            "offset": request.offset,
            "paged": True,
            "unpaged": False,
            "sort": ordering,
        },
    }
