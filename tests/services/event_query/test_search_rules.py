"""What search matches and how it orders: pure rules."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketly_common.paging import Order
from ticketly_common.problems import Problem
from ticketly_event_query.catalog import search
from ticketly_event_query.catalog.search import Candidate, Circle
from ticketly_event_query.catalog.shapes import city, earliest_session
from ticketly_event_query.projection.words import vocabulary, words

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def session(
    name: str = "s", *, days: float = 1, status: str = "ON_SALE", prices: tuple[int, ...] = (1000,), **place: Any
):
    starts = NOW + timedelta(days=days)
    return {
        "_id": name,
        "status": status,
        "startTime": starts,
        "prices": list(prices),
        "latitude": place.get("latitude"),
        "longitude": place.get("longitude"),
    }


def candidate(*sessions: Any, name: str = "e", title: str = "Winter Jazz", score: float = 0.0) -> Candidate:
    return Candidate(name, title.casefold(), vocabulary([title]), list(sessions), score)


def matched(one: Candidate, *, sold_out: frozenset[str] = frozenset(), **query: str) -> search.Match | None:
    return search.match(one, search.criteria(query), now=NOW, sold_out=sold_out)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Café-Night  in KANDY!", ["cafe", "night", "in", "kandy"]),
        ("eco-tourism", ["eco", "tourism"]),
        ("Straße Ⅳ", ["strasse", "iv"]),
        ("snake_case", ["snake", "case"]),
        ("  ", []),
    ],
)
def test_words_are_split_and_stripped_of_case_and_accents(text, expected):
    assert words(text) == expected


@given(st.text(max_size=50))
def test_normalising_words_twice_changes_nothing(text: str):
    once = words(text)
    assert words(" ".join(once)) == once


def test_date_and_price_must_hold_for_one_and_the_same_session():
    early_dear, late_cheap = session("a", days=1, prices=(9000,)), session("b", days=10, prices=(1000,))
    one = candidate(early_dear, late_cheap)
    until = (NOW + timedelta(days=2)).isoformat()
    assert matched(one, dateTo=until, priceMax="20") is None
    assert matched(one, dateTo=until, priceMax="100") is not None
    assert matched(one, priceMax="20") is not None


def test_prices_compare_as_numbers():
    one = candidate(session(prices=(100_000,)))
    assert matched(one, priceMin="999", priceMax="1000") is not None
    assert matched(one, priceMin="1000.01") is None
    assert matched(one, priceMin="90", priceMax="200") is None


@pytest.mark.parametrize("status", ["CLOSED", "CANCELLED", "SOLD_OUT", "PENDING"])
def test_by_default_only_future_open_sessions_count(status):
    assert matched(candidate(session(status=status))) is None
    assert matched(candidate(session(days=-1))) is None
    assert matched(candidate(session(days=-1)), includePast="true") is not None


def test_only_available_leaves_out_what_is_sold_out():
    one = candidate(session("full"), session("free", days=3))
    match = matched(one, sold_out=frozenset({"full"}), onlyAvailable="true")
    assert match is not None
    assert match.starts == NOW + timedelta(days=3)
    assert matched(candidate(session("full")), sold_out=frozenset({"full"}), onlyAvailable="true") is None


def test_radius_uses_the_great_circle():
    colombo = session(latitude=6.9271, longitude=79.8612)
    kandy = {"latitude": "7.2906", "longitude": "80.6337"}
    assert matched(candidate(colombo), radiusKm="90", **kandy) is None
    match = matched(candidate(colombo), radiusKm="100", **kandy)
    assert match is not None
    assert math.isclose(match.distance_km, 94.3, abs_tol=1.0)


@given(st.floats(-89, 89), st.floats(-179, 179), st.floats(0, 3000), st.floats(-90, 90), st.floats(-180, 180))
def test_the_bounding_box_never_cuts_off_a_place_inside_the_circle(latitude, longitude, radius, other, east):
    circle = Circle(latitude, longitude, radius)
    box = search.bounding_box(circle)
    if box is not None and search.distance_km(circle, other, east) <= radius:
        south, north, west, right = box
        assert south <= other <= north
        assert west <= east <= right


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"radiusKm": "5"}, {"radiusKm"}),
        ({"radiusKm": "5", "latitude": "91", "longitude": "0"}, {"latitude", "radiusKm"}),
        ({"longitude": "nan", "latitude": "0"}, {"longitude"}),
        ({"radiusKm": "20001", "latitude": "0", "longitude": "0"}, {"radiusKm"}),
        ({"dateFrom": "tomorrow", "priceMin": "cheap"}, {"dateFrom", "priceMin"}),
        ({"searchTerm": "x" * 201}, {"searchTerm"}),
    ],
)
def test_every_unacceptable_parameter_is_named(query, fields):
    with pytest.raises(Problem) as caught:
        search.criteria(query)
    assert caught.value.status == 422
    assert set(caught.value.errors) == fields


def test_a_bare_date_is_the_start_of_that_day_and_a_plus_may_arrive_as_a_space():
    assert search.parse_instant("2027-03-01") == datetime(2027, 3, 1, tzinfo=UTC)
    assert search.parse_instant("2027-03-01T05:30:00 05:30") == datetime(2027, 3, 1, tzinfo=UTC)


_matches = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 2), st.booleans()), max_size=20, unique_by=lambda one: one[0]
)


@given(_matches, st.sampled_from(search.SORTABLE), st.booleans(), st.booleans())
def test_the_order_is_total_and_does_not_depend_on_the_store(given_matches, field, descending, title_first):
    found = [
        search.Match(f"{name:02}", in_title, NOW + timedelta(days=value), str(value), value, float(value), float(value))
        for name, value, in_title in given_matches
    ]
    circle = Circle(0, 0, None)
    orders = [Order(field, descending=descending)]
    one = search.ranked(found, orders, title_first=title_first, circle=circle)
    other = search.ranked(found[::-1], orders, title_first=title_first, circle=circle)
    assert one == other
    if title_first:
        assert [match.in_title for match in one] == sorted((match.in_title for match in one), reverse=True)


def test_sorting_by_distance_needs_a_place():
    with pytest.raises(Problem, match="distance"):
        search.ranked([], [Order("distance")], title_first=False, circle=None)


def test_the_last_word_matches_as_a_prefix_in_titles():
    assert matched(candidate(session()), searchTerm="winter ja").in_title
    assert not matched(candidate(session()), searchTerm="wint jazz").in_title


@pytest.mark.parametrize(
    ("address", "expected"), [("12 Lake Road, Kandy, LK", "Kandy"), ("Kandy", "Kandy"), ("Kandy,", "Kandy"), (None, "")]
)
def test_city_is_the_second_part_of_the_address(address, expected):
    assert city(address) == expected


def test_the_earliest_session_is_future_and_attendable_else_the_last_past_one():
    past, cancelled, good = session("p", days=-2), session("c", days=1, status="CANCELLED"), session("g", days=5)
    assert earliest_session([past, cancelled, good], NOW)["_id"] == "g"
    assert earliest_session([past, cancelled], NOW)["_id"] == "c"
    assert earliest_session([session("o", days=-9), past], NOW)["_id"] == "p"
    assert earliest_session([], NOW) is None
