"""Seed, race and verify on a whole platform, as a person runs them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from ticketly_cli import main
from ticketly_cli.printing import Terminal

pytestmark = pytest.mark.stack


@pytest.fixture
def ticketly(platform, tmp_path, monkeypatch):
    """Runs a command on the platform; returns exit code and the decoded JSON. No secret may ever be printed."""
    monkeypatch.setenv("TICKETLY_HOME", str(platform.home))
    monkeypatch.chdir(tmp_path)
    secrets = [login.password for login in platform.users.values()]
    secrets += [database.password for database in platform.databases.values()]
    secrets += [platform.keycloak_administrator.password, *platform.client_secrets.values()]

    def run(*arguments: str):
        shown = Terminal(stdout=io.StringIO(), stderr=io.StringIO())
        code = main.execute([*arguments, "-o", "json", "-v"], shown)
        printed = shown.stdout.getvalue() + shown.stderr.getvalue()
        assert not [secret for secret in secrets if secret in printed]
        for written in tmp_path.iterdir():
            assert not [secret for secret in secrets if secret in written.read_text()]
        assert shown.stdout.getvalue(), shown.stderr.getvalue()
        return code, json.loads(shown.stdout.getvalue())

    return run


def test_every_seat_of_a_race_has_exactly_one_winner(ticketly):
    code, result = ticketly("race", "--buyers", "20", "--seats", "4", "--seed", "5", "--history", "race.jsonl")
    assert (code, result["verdict"]) == (0, "pass"), result
    assert (result["attempts"], result["booked"], result["double_booked"], result["unknown"]) == (80, 4, 0, 0)
    assert result["statuses"] == {"201": 4, "409": 76}
    assert set(result["invariants"].values()) == {"pass"}
    code, again = ticketly("verify", "--history", "race.jsonl", "--database")
    assert (code, again["verdict"]) == (0, "pass"), again


def test_a_history_in_which_an_answer_was_changed_is_convicted_by_the_database(ticketly):
    ticketly("race", "--buyers", "10", "--seats", "2", "--history", "race.jsonl")
    content = Path("race.jsonl").read_text().splitlines()
    index, refused = next((n, json.loads(line)) for n, line in enumerate(content) if '"type":"fail"' in line)
    refused |= {"type": "ok", "status": 201, "order_id": "00000000-0000-4000-8000-000000000000"}
    refused["seats"] = refused.pop("contested")
    content[index] = json.dumps(refused)
    Path("race.jsonl").write_text("\n".join(content) + "\n")
    code, result = ticketly("verify", "--history", "race.jsonl", "--database")
    assert (code, result["verdict"]) == (1, "fail")
    assert result["counterexample"]["seat"]


def test_overlapping_baskets_that_are_given_back_meanwhile_stay_consistent(ticketly):
    code, result = ticketly("race", "--buyers", "20", "--seats", "8", "--basket", "3", "--seed", "3")
    assert (code, result["verdict"]) == (0, "pass"), result
    assert result["booked"] > 2


@pytest.mark.parametrize("fault", ["redis-flush", "redis-stop", "kafka-stop", "order-pause", "order-kill"])
def test_a_fault_costs_availability_at_most(ticketly, fault):
    code, result = ticketly("race", "--buyers", "20", "--seats", "6", "--chaos", fault, "--timeout", "2")
    assert (code, result["verdict"]) == (0, "pass"), result
    assert result["lost_acknowledged"] == result["double_booked"] == 0


def test_seeding_twice_makes_nothing_twice_and_cleaning_removes_it(ticketly):
    ticketly("seed", "--events", "2", "--file", "seed.json")
    assert ticketly("seed", "--clean", "--file", "seed.json")[1]["removed"]["events"] == 2
    code, made = ticketly("seed", "--events", "2", "--file", "seed.json")
    assert (code, made["made"], made["kept"]) == (0, 2, 0)
    assert made["seats"] == 32
    code, kept = ticketly("seed", "--events", "2", "--file", "seed.json")
    assert (code, kept["made"], kept["kept"]) == (0, 0, 2)
    code, removed = ticketly("seed", "--clean", "--file", "seed.json")
    assert (code, removed["removed"]["events"]) == (0, 2)


def test_the_database_of_the_platform_holds_every_invariant(ticketly):
    code, result = ticketly("verify")
    assert (code, result["verdict"]) in {(0, "pass"), (2, "inconclusive")}
    assert "fail" not in result["invariants"].values()
