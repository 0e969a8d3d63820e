"""Clock, pages, settings, captured records, named queries."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketly_common import cdc, clock, settings
from ticketly_common.paging import Order, PageRequest, envelope, page_request
from ticketly_common.postgres import Queries
from ticketly_common.problems import Problem


def test_instants_go_out_in_utc_with_at_most_milliseconds() -> None:
    colombo = timezone(timedelta(hours=5, minutes=30))
    assert clock.to_wire(datetime(2027, 3, 1, 19, 0, tzinfo=colombo)) == "2027-03-01T13:30:00Z"
    assert clock.to_wire(datetime(2027, 3, 1, 0, 0, 0, 123999, tzinfo=UTC)) == "2027-03-01T00:00:00.123Z"
    with pytest.raises(ValueError, match="naive"):
        clock.to_wire(datetime(2027, 3, 1))  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match="offset"):
        clock.from_wire("2027-03-01T00:00:00")


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_an_instant_survives_the_wire_to_the_millisecond(instant: datetime) -> None:
    assert abs(clock.from_wire(clock.to_wire(instant)) - instant) < timedelta(milliseconds=1)


def request_for(*query: tuple[str, str]) -> PageRequest:
    return page_request(query, default_size=10, default_sort=("name,asc",), sortable=("name", "date"))


def test_page_parameters_and_their_aliases() -> None:
    assert request_for() == PageRequest(0, 10, (Order("name"),))
    assert request_for(("pageable.page", "2"), ("pageable.size", "5"), ("pageable.sort", "date,desc")) == PageRequest(
        2, 5, (Order("date", descending=True),)
    )
    assert request_for(("size", "5000")).size == 100


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (("page", "x"), 400),
        (("page", "-1"), 422),
        (("size", "0"), 422),
        (("sort", "evil,asc"), 422),
        (("sort", "name,up"), 422),
    ],
)
def test_bad_page_parameters_are_named(query: tuple[str, str], status: int) -> None:
    with pytest.raises(Problem) as caught:
        request_for(query)
    assert caught.value.status == status


@given(total=st.integers(0, 500), size=st.integers(1, 100), number=st.integers(0, 20))
def test_pages_cover_everything_once(total: int, size: int, number: int) -> None:
    items = list(range(total))
    request = PageRequest(number, size, ())
    page = envelope(items[request.offset : request.offset + size], total, request)
    assert page["totalPages"] == (total + size - 1) // size
    assert page["numberOfElements"] == len(page["content"]) <= size
    assert page["last"] == ((number + 1) * size >= total)
    assert page["first"] == (number == 0)


def record(**members: object) -> bytes:
    return json.dumps({"source": {"table": "events", "lsn": 7}, **members}).encode()


def test_changes_are_read_in_both_forms() -> None:
    plain = record(op="c", before=None, after={"id": "a"})
    wrapped = b'{"schema": {}, "payload": ' + plain + b"}"
    expected = cdc.Change("events", "upsert", {"id": "a"}, 7)
    assert cdc.decode(plain) == cdc.decode(wrapped) == expected
    assert cdc.decode(record(op="d", before={"id": "a"}, after=None)) == cdc.Change("events", "delete", {"id": "a"}, 7)


def test_tombstones_and_truncates_change_nothing() -> None:
    assert cdc.decode(None) is None
    assert cdc.decode(b'{"schema": null, "payload": null}') is None
    assert cdc.decode(record(op="t")) is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'"text"',
        b"{}",
        record(op="c"),
        record(op="z", after={"id": "a"}),
        record(op="u", after={"id": "a", "text": "__debezium_unavailable_value"}),
    ],
)
def test_anything_else_is_malformed(value: bytes) -> None:
    with pytest.raises(cdc.MalformedRecord):
        cdc.decode(value)


@given(st.binary(max_size=200))
def test_the_decoder_never_fails_in_another_way(value: bytes) -> None:
    try:
        change = cdc.decode(value)
    except cdc.MalformedRecord:
        return
    assert change is None or change.row


def test_queries_are_named_once() -> None:
    queries = Queries("-- name: one\n-- says one\nSELECT 1;\n-- name: two\nSELECT 2;\n")
    assert list(queries) == ["one", "two"]
    assert queries["two"] == "SELECT 2;"
    with pytest.raises(ValueError, match="twice"):
        Queries("-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;\n")


def test_settings_name_every_missing_variable_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETLY_LISTEN_PUBLIC_PORT", "s3cret-in-the-wrong-place")
    monkeypatch.setenv("TICKETLY_LISTEN_INTERNAL_PORT", "9081")
    with pytest.raises(settings.SettingsError) as caught:
        settings.load(settings.ServiceSettings)
    text = str(caught.value)
    assert "TICKETLY_LISTEN_PUBLIC_PORT" in text
    assert "TICKETLY_IDENTITY" in text
    assert "s3cret" not in text


def test_settings_read_groups_from_flat_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETLY_LISTEN_PUBLIC_PORT", "8081")
    monkeypatch.setenv("TICKETLY_LISTEN_INTERNAL_PORT", "9081")
    monkeypatch.setenv("TICKETLY_IDENTITY_ISSUER", "http://i.test/realms/r")
    loaded = settings.load(settings.ServiceSettings)
    assert loaded.listen.host == "127.0.0.1"
    assert loaded.identity.keys_url() == "http://i.test/realms/r/protocol/openid-connect/certs"


def test_a_database_url_escapes_its_password() -> None:
    database = settings.Postgres(host="h", database="d", user="u", password="p@/ x", ssl_mode="disable")
    assert database.url() == "postgres://u:p%40%2F%20x@h:5432/d?sslmode=disable"
    assert "p@" not in repr(database)
