"""Order of start, choices, and waits between restarts."""

from __future__ import annotations

import pytest

from ticketly_cli.errors import CliError
from ticketly_cli.local import back_off, start_order
from ticketly_cli.local.component import Component, nothing


def part(name: str, needs: str = "", uses: str = "") -> Component:
    return Component(name, frozenset(needs.split()), "1", "", nothing, uses=frozenset(uses.split()))


PARTS = {
    one.name: one
    for one in (part("db"), part("log"), part("connect", "log"), part("api", "db log", "login"), part("login"))
}


def test_each_group_needs_only_earlier_groups():
    assert start_order.levels(PARTS) == [["db", "log", "login"], ["connect", "api"]]


def test_a_circle_is_refused():
    with pytest.raises(ValueError, match="a, b"):
        start_order.levels({"a": part("a", "b"), "b": part("b", "a")})


def test_a_choice_brings_what_it_needs_and_uses():
    assert start_order.closure(PARTS, ["api"]) == {"api", "db", "log", "login"}


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(CliError, match="no component named nope") as raised:
        start_order.closure(PARTS, ["nope"])
    assert "db, log" in raised.value.next_step
    assert raised.value.exit_code == 3


def test_waits_double_up_to_the_longest():
    waits = back_off.BackOff()
    assert [waits.next_seconds(0) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_healthy_minute_starts_the_waits_over():
    waits = back_off.BackOff(failures=9)
    assert waits.next_seconds(back_off.HEALTHY_AFTER_SECONDS) == back_off.FIRST_SECONDS
