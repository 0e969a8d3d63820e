"""How often one user may look up discount codes; guessing them is what this slows down."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from ticketly_common.problems import Problem

_WINDOW_SECONDS = 60.0
_MAX_USERS = 50_000


class LookupLimit:
    """At most ``per_minute`` calls per user in any minute that starts with the user's first call; 0 = no limit."""

    def __init__(self, per_minute: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._users: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def count(self, user: str) -> None:
        """Count a call; raises Problem 429 with ``Retry-After`` above the limit."""
        if not self._per_minute:
            return
        now = self._monotonic()
        began, calls = self._users.pop(user, (now, 0))
        if now - began >= _WINDOW_SECONDS:
            began, calls = now, 0
        self._users[user] = (began, calls + 1)
        while len(self._users) > _MAX_USERS:
            self._users.popitem(last=False)
        if calls >= self._per_minute:
            wait = max(int(began + _WINDOW_SECONDS - now) + 1, 1)
            raise Problem(
                429, "rate-limited", "Too many codes tried. Wait a little.", headers={"Retry-After": str(wait)}
            )
