"""Choosing ports."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketly_cli.errors import CliError
from ticketly_cli.local import ports


def test_the_usual_port_is_taken_when_it_is_free():
    assert ports.choose({"a": 8088}, {}, free=lambda _: True) == {"a": 8088}


def test_a_taken_port_is_avoided():
    assert ports.choose({"a": 8088}, {}, free=lambda port: port != 8088) == {"a": ports.FIRST_SPARE_PORT}


def test_a_remembered_port_is_kept_over_the_usual_one():
    assert ports.choose({"a": 8088}, {"a": 20007}, free=lambda _: True) == {"a": 20007}


def test_a_remembered_port_that_this_platform_holds_is_kept_although_it_is_not_free():
    assert ports.choose({"a": 8088}, {"a": 20007}, ours=[20007], free=lambda port: port != 20007) == {"a": 20007}


def test_nobody_gets_a_port_somebody_else_remembers():
    chosen = ports.choose({"a": 8088, "b": 9000}, {"b": 8088}, free=lambda _: True)
    assert chosen["b"] == 8088
    assert chosen["a"] != 8088


def test_no_free_port_left_is_one_sentence():
    with pytest.raises(CliError, match="No free port is left for a"):
        ports.choose({"a": 8088}, {}, free=lambda _: False)


@given(
    wanted=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(8000, 8010)),
    remembered=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(8000, 8010)),
    taken=st.sets(st.integers(8000, 8010)),
)
def test_every_choice_is_free_and_different_from_the_others(wanted, remembered, taken):
    chosen = ports.choose(wanted, remembered, free=lambda port: port not in taken)
    assert chosen.keys() == wanted.keys()
    assert len(set(chosen.values())) == len(chosen)
    assert not taken & set(chosen.values())


def test_a_port_somebody_listens_on_is_not_free():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert not ports.is_free(listener.getsockname()[1])
