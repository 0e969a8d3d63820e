"""The seeded season: repeatable, valid by the write side's rules, and an answer to every search the load test makes."""

from __future__ import annotations

import json
import re
import struct
import unicodedata
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketly_cli.errors import CliError
from ticketly_cli.seed.catalogue import ORGANIZATION, SEARCH_TERMS
from ticketly_cli.seed.picture import cover
from ticketly_cli.seed.plan import SeedOptions, create_request, plan
from ticketly_cli.seed.record import SeededEvent, SeededSession, SeedRecord, read_record, write_record

NOW = datetime(2027, 1, 11, 9, 30, tzinfo=UTC)

# The fixed list of the query load test; every term must find at least one event.
LOAD_TEST_TERMS = [
    "tech summit",
    "colombo jazz",
    "heritage exhibition",
    "kandy perahera",
    "digital marketing",
    "beach volleyball",
    "food festival",
    "startup weekend",
    "film festival",
    "wellness retreat",
    "photography exhibition",
    "tea celebration",
    "literary festival",
    "fashion week",
    "edm night",
    "cricket tournament",
    "handloom market",
    "temple music",
    "conservation summit",
    "dance performance",
    "buddhist art",
    "entrepreneurship masterclass",
    "poetry slam",
    "night market",
    "jewelry exhibition",
    "vesak lantern",
    "eco-tourism",
    "jaffna cultural",
    "yoga day",
    "marine conservation",
]

CATEGORIES = {
    "Concerts", "DJ Nights", "Traditional Music", "Music Competitions", "Music Festivals", "Stage Plays",
    "Art Exhibitions", "Film Festivals", "Award Ceremonies", "Dance & Performance Arts", "Tech Workshops",
    "Business Seminars", "Art Classes", "Career/Job Fairs", "Academic Conferences", "Health & Wellness Workshops",
    "Food Festivals", "Wine Tasting", "Street Food Events", "Cooking Classes & Demos", "Cricket Matches", "Marathons",
    "Yoga & Wellness", "Indoor Sports Tournaments", "Fitness Bootcamps & Retreats", "Charity Fundraisers",
    "Festivals & Carnivals", "Meetups", "Religious & Spiritual Events", "Networking & Social Gatherings",
    "Virtual / Online Events", "Tours & Travel Experiences", "Expos & Trade Shows", "Film Screenings & Movie Events",
    "Pop Culture & Fan Events", "Miscellaneous",
}  # fmt: skip


def words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKD", text).casefold()
    return re.findall(r"\w+", "".join(c for c in folded if not unicodedata.combining(c)))


def finds(term: str, event) -> bool:
    *whole, last = words(term)
    there = words(f"{event.title} {event.description} {event.category} {ORGANIZATION}")
    return all(word in there for word in whole) and any(word.startswith(last) for word in there)


@pytest.mark.parametrize("term", LOAD_TEST_TERMS)
def test_every_term_of_the_load_test_finds_an_event(term):
    assert any(finds(term, event) for event in plan(1, SeedOptions()).events)


def test_the_catalogue_is_written_for_exactly_these_terms():
    assert list(SEARCH_TERMS) == LOAD_TEST_TERMS


@pytest.mark.parametrize("seed", [0, 1, 99])
def test_the_same_seed_gives_the_same_season(seed):
    season = plan(seed, SeedOptions())
    assert season == plan(seed, SeedOptions())
    requests = [create_request(event, season.row_lengths, "org", "category", NOW) for event in season.events]
    again = [create_request(event, season.row_lengths, "org", "category", NOW) for event in season.events]
    assert requests == again


def test_another_seed_gives_another_season():
    assert plan(1, SeedOptions()) != plan(2, SeedOptions())


def test_titles_stay_unique_beyond_the_catalogue():
    titles = [event.title for event in plan(1, SeedOptions(events=200)).events]
    assert len(set(titles)) == 200
    assert all(3 <= len(title) <= 255 for title in titles)


def test_every_category_exists_on_the_platform():
    assert {event.category for event in plan(1, SeedOptions()).events} <= CATEGORIES


@settings(deadline=None)
@given(
    st.builds(
        SeedOptions,
        events=st.integers(1, 35),
        sessions=st.integers(1, 4),
        rows=st.integers(1, 6),
        columns=st.integers(1, 6),
        seats=st.none() | st.integers(1, 130),
    )
)
def test_every_request_keeps_the_rules_of_the_write_side(options):
    season = plan(3, options)
    wanted = options.seats if options.seats is not None else options.rows * options.columns
    for event in season.events:
        request = create_request(event, season.row_lengths, "org", "category", NOW)
        json.dumps(request)
        tiers = {tier["id"] for tier in request["tiers"]}
        assert len(tiers) == 2
        assert len(request["sessions"]) == options.sessions
        for session in request["sessions"]:
            start, end, sales = (
                datetime.fromisoformat(session[name]) for name in ("startTime", "endTime", "salesStartTime")
            )
            assert sales < NOW
            assert start - NOW >= timedelta(days=7)
            assert timedelta(minutes=30) <= end - start <= timedelta(hours=12)
            blocks = session["layoutData"]["layout"]["blocks"]
            assert [block["type"] for block in blocks] == ["non_sellable", "seated_grid"]
            seats = [seat for block in blocks for row in block["rows"] for seat in row["seats"]]
            assert len(seats) == wanted
            assert {seat["tierId"] for seat in seats} <= tiers
            assert len({seat["id"] for seat in seats}) == wanted
            assert all(len(seat["label"]) <= 32 for seat in seats)
            for row in blocks[1]["rows"]:
                assert len({seat["label"] for seat in row["seats"]}) == len(row["seats"])
        for discount in request["discounts"]:
            assert 1 <= len(discount["code"]) <= 40
            assert discount["parameters"]["type"] in {"PERCENTAGE", "FLAT_OFF", "BUY_N_GET_N_FREE"}


def test_the_default_layout_is_four_by_four():
    season = plan(1, SeedOptions())
    assert season.row_lengths == (4, 4, 4, 4)


def test_the_first_event_is_a_week_ahead_and_the_season_goes_on_daily():
    starts = [
        datetime.fromisoformat(create_request(event, (4,), "o", "c", NOW)["sessions"][0]["startTime"])
        for event in plan(1, SeedOptions()).events
    ]
    assert timedelta(days=7) <= starts[0] - NOW <= timedelta(days=9)
    assert starts[-1] - starts[0] > timedelta(days=25)


def test_the_cover_is_a_whole_png():
    picture = cover(("#3B82F6", "#10B981"))
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    position, kinds = 8, []
    while position < len(picture):
        (length,) = struct.unpack(">I", picture[position : position + 4])
        kind, content = picture[position + 4 : position + 8], picture[position + 8 : position + 8 + length]
        assert struct.unpack(">I", picture[position + 8 + length : position + 12 + length])[0] == zlib.crc32(
            kind + content
        )
        if kind == b"IDAT":
            assert len(zlib.decompress(content)) == 180 * (1 + 320 * 3)
        kinds.append(kind)
        position += 12 + length
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
    assert len(picture) < 20_000


def record() -> SeedRecord:
    session = SeededSession("session", ["seat-1", "seat-2"])
    return SeedRecord("org", ORGANIZATION, True, 1, "http://x", [SeededEvent("event", "Title", ["session"], [session])])


def test_the_record_survives_being_written_and_read(tmp_path):
    path = tmp_path / "seed-data.json"
    write_record(path, record())
    assert read_record(path) == record()
    stored = json.loads(path.read_text())
    assert stored["events"][0]["sessionIds"] == ["session"]
    assert stored["events"][0]["sessions"][0]["seatIds"] == ["seat-1", "seat-2"]


def test_no_record_is_no_error_but_a_damaged_one_is(tmp_path):
    path = tmp_path / "seed-data.json"
    assert read_record(path) is None
    path.write_text('{"organizationId": 5}')
    with pytest.raises(CliError, match="damaged"):
        read_record(path)


def test_a_record_of_a_place_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(CliError, match="cannot be written"):
        write_record(tmp_path / "missing" / "seed-data.json", record())
