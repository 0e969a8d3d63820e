"""The command line itself: exit codes, where options may stand, what is printed where, and what never is."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer
import yaml

from ticketly_cli import main
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import OutputFormat, Terminal, terminal
from ticketly_cli.race.result import RaceResult
from ticketly_cli.race.statistics import latency
from ticketly_cli.results import Cell, Facts, Message, Records, Table, Text
from ticketly_cli.verify.verdict import Counterexample, Report

DATA = Path(__file__).parent / "data"
CANARY = "canary-7f3a-secret"


def run(*arguments: str, app=None) -> tuple[int, str, str]:
    shown = Terminal(stdout=io.StringIO(), stderr=io.StringIO())
    code = main.execute(arguments, shown, app)
    return code, shown.stdout.getvalue(), shown.stderr.getvalue()


def app_with(body) -> typer.Typer:
    def register(app: typer.Typer) -> None:
        app.command("act")(body)
        app.command("other")(lambda: None)

    return main.build_app([register])


def greet(name: Annotated[str, typer.Option("--name")] = "you", number: Annotated[int, typer.Option(min=1)] = 1):
    return Message(f"hello {name}", {"name": name, "number": number})


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing-like-this",),
        ("--nothing-like-this",),
        ("act", "--nothing-like-this"),
        ("act", "surplus"),
        ("act", "--number", "zero"),
        ("act", "--number", "0"),
        ("act", "--name"),
        ("act", "-o", "xml"),
        ("-o", "xml", "act"),
    ],
)
def test_arguments_the_parser_refuses_exit_with_three_and_one_sentence(arguments):
    code, out, err = run(*arguments, app=app_with(greet))
    assert code == 3
    assert out == ""
    assert err.startswith("error: ")
    assert "--help" in err.splitlines()[1]
    assert "Traceback" not in err


@pytest.mark.parametrize("place", ["before", "after", "both"])
def test_global_options_stand_before_or_after_the_command(place):
    options = ("-o", "json")
    arguments = {
        "before": (*options, "act", "--name", "x"),
        "after": ("act", "--name", "x", *options),
        "both": ("-o", "table", "act", *options, "--name", "x"),
    }[place]
    code, out, _ = run(*arguments, app=app_with(greet))
    assert code == 0
    assert json.loads(out) == {"message": "hello x", "name": "x", "number": 1}


def test_yaml_and_table_show_the_same_result():
    _, out, _ = run("act", "-o", "yaml", app=app_with(greet))
    assert yaml.safe_load(out)["name"] == "you"
    _, out, _ = run("act", app=app_with(greet))
    assert out == "hello you\n"


def test_quiet_prints_nothing_but_machine_output_stays():
    assert run("--quiet", "act", app=app_with(greet)) == (0, "", "")
    assert json.loads(run("act", "-q", "-o", "json", app=app_with(greet))[1])


def test_verbosity_adds_up_and_details_go_to_standard_error():
    def body():
        terminal().detail("in detail")
        return Message(str(terminal().verbosity))

    code, out, err = run("-v", "act", "-v", app=app_with(body))
    assert (code, out, err) == (0, "2\n", "in detail\n")
    assert run("act", app=app_with(body))[2] == ""


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_an_error_has_its_code_its_sentence_and_its_next_step(code):
    def body():
        raise CliError("It is broken.", "Mend it.", code)

    assert run("act", app=app_with(body)) == (code, "", "error: It is broken.\nMend it.\n")


def test_an_interruption_exits_with_130():
    def body():
        raise KeyboardInterrupt

    code, _, err = run("act", app=app_with(body))
    assert code == 130
    assert "Interrupted" in err


def fail_with_a_secret():
    password = CANARY
    raise ValueError(f"could not use {password}")


def test_an_unexpected_error_is_one_sentence_without_its_content():
    code, out, err = run("act", app=app_with(fail_with_a_secret))
    assert code == 1
    assert "Unexpected ValueError" in err
    assert "--debug" in err
    assert CANARY not in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [("--debug", "act"), ("act", "--debug")])
def test_the_traceback_comes_with_debug_only_and_never_shows_local_variables(arguments):
    def body():
        kept = CANARY + "-in-a-variable"
        raise RuntimeError("deep inside") from (KeyError("cause") if kept else None)

    code, _, err = run(*arguments, app=app_with(body))
    assert code == 1
    assert "Traceback" in err
    assert "deep inside" in err
    assert CANARY not in err


def test_the_first_error_of_parallel_tasks_is_shown_as_its_own():
    def body():
        raise ExceptionGroup("tasks", [ExceptionGroup("inner", [CliError("Told so.", "", 4)])])

    assert run("act", app=app_with(body)) == (4, "", "error: Told so.\n")


def test_a_result_decides_the_exit_code():
    def body():
        return Message("bad news", exit_code=ExitCode.UNDECIDED)

    assert run("act", app=app_with(body))[:2] == (2, "bad news\n")


class _Everything:
    exit_code = 0

    def to_data(self):
        return {"a": 1}

    def to_view(self):
        return (
            Text("text [red]not markup[/red]", "bad"),
            Facts((("name", Cell("value", "good")),), "title"),
            Table(("one", "two"), [("a" * 150, Cell("b", "warn"))]),
        )


def test_without_a_terminal_there_is_no_control_character_and_nothing_is_cut():
    code, out, err = run("act", app=app_with(_Everything))
    assert code == 0
    assert "\x1b" not in out + err
    assert "[red]not markup[/red]" in out
    assert "a" * 150 in out


def test_steps_are_plain_lines_without_a_terminal():
    def body():
        with terminal().step("Working", total=2) as step:
            step.advance()
            step.say("more")

    _, out, err = run("act", app=app_with(body))
    assert out == ""
    assert err.startswith("Working ...\nWorking: done in ")
    assert "\x1b" not in err
    assert run("-q", "act", app=app_with(body))[2] == ""


def test_records_have_one_array():
    records = Records("things", ("name", "size"), [{"name": "a", "size": 1, "more": True}, {"name": "b"}])
    assert records.to_data() == {"things": [{"name": "a", "size": 1, "more": True}, {"name": "b"}]}
    assert records.to_view()[0].rows == [["a", "1"], ["b", ""]]


# --- the real commands --------------------------------------------------------------------------------------------


@pytest.fixture
def no_platform(tmp_path, monkeypatch):
    monkeypatch.setenv("TICKETLY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("arguments", [("seed",), ("seed", "--clean"), ("race",)])
def test_commands_that_need_a_platform_say_so_with_four(no_platform, arguments):
    code, out, err = run(*arguments)
    assert (code, out) == (4, "")
    assert "ticketly up" in err
    assert not list(Path.cwd().iterdir())


def test_verify_without_a_platform_is_inconclusive_never_a_pass(no_platform):
    code, out, _ = run("verify", "-o", "json")
    assert code == 2
    assert json.loads(out)["verdict"] == "inconclusive"


@pytest.mark.parametrize(
    ("name", "code", "verdict"),
    [
        ("good.jsonl", 0, "pass"),
        ("double-sale.jsonl", 1, "fail"),
        ("tampered.jsonl", 1, "fail"),
        ("tampered-harmless.jsonl", 2, "inconclusive"),
        ("truncated.jsonl", 2, "inconclusive"),
        ("empty.jsonl", 2, "inconclusive"),
        ("absent.jsonl", 2, "inconclusive"),
    ],
)
def test_verify_of_a_recorded_history(name, code, verdict):
    found, out, _ = run("verify", "--history", str(DATA / name), "-o", "json")
    data = json.loads(out)
    assert (found, data["verdict"]) == (code, verdict)
    if verdict == "fail":
        assert data["counterexample"]["seat"]
        assert data["counterexample"]["evidence"]
    if verdict == "inconclusive":
        assert data["reason"]
    assert run("verify", "--history", str(DATA / name))[0] == code


def test_a_history_alone_does_not_speak_about_the_database(no_platform):
    _, out, _ = run("verify", "--history", str(DATA / "good.jsonl"), "-o", "json")
    assert json.loads(out)["invariants"] == {"I1": "pass", "I2": "pass", "I3": "pass"}
    code, out, _ = run("verify", "--history", str(DATA / "good.jsonl"), "--database", "-o", "json")
    assert code == 2
    assert json.loads(out)["invariants"]["I6"] == "inconclusive"


def test_the_ledger_cannot_be_checked_without_a_provider():
    code, out, _ = run("verify", "--history", str(DATA / "good.jsonl"), "--ledger", "-o", "json")
    assert code == 2
    assert "provider" in json.loads(out)["reason"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("race", "--basket", "4", "--seats", "2"),
        ("race", "--buyers", "0"),
        ("race", "--pay"),
        ("seed", "--events", "0"),
    ],
)
def test_impossible_wishes_are_refused_before_anything_happens(no_platform, arguments):
    assert run(*arguments)[0] == 3
    assert not list(Path.cwd().iterdir())


def test_a_race_prints_the_documented_object():
    report = Report({"I1": "pass", "I2": "pass", "I3": "pass", "I6": "pass"})
    result = RaceResult(
        report=report, buyers=100, seats=16, basket=1, seed=7, attempts=1600, booked=16, double_booked=0,
        lost_acknowledged=0, unknown=0, statuses={"201": 16, "409": 1584}, won=latency([1.0]), lost=latency([2.0]),
        duration_seconds=1.5, history="path", target="url",
    )  # fmt: skip
    four = {"p50", "p95", "p99", "max"}
    data = result.to_data()
    assert list(data) == [
        "verdict", "buyers", "seats", "basket", "attempts", "booked", "double_booked", "lost_acknowledged", "unknown",
        "statuses", "latency_ms", "duration_s", "invariants", "history", "target", "seed",
    ]  # fmt: skip
    assert data["verdict"] == "pass"
    assert set(data["latency_ms"]["won"]) == set(data["latency_ms"]["lost"]) == four
    assert result.exit_code == 0


def test_a_failed_race_carries_its_counterexample_and_exits_with_one():
    report = Report()
    report.record("I1", [Counterexample("I1", "sold twice", "seat-1", ("op 1", "op 2"))])
    result = RaceResult(
        report=report, buyers=1, seats=1, basket=1, seed=7, attempts=2, booked=2, double_booked=1, lost_acknowledged=0,
        unknown=0, statuses={}, won=latency([]), lost=latency([]), duration_seconds=0, history="h", target="t",
    )  # fmt: skip
    assert result.exit_code == 1
    assert result.to_data()["counterexample"]["seat"] == "seat-1"


@pytest.mark.parametrize("command", ["seed", "race", "verify"])
def test_help_of_a_command_is_as_recorded(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert run(command, "--help")[0] == 0
    shown = capsys.readouterr().out
    recorded = DATA / f"help-{command}.txt"
    assert shown == recorded.read_text(), f"if the change is wanted: ticketly {command} --help > {recorded}"


def test_help_of_every_command_has_examples_and_the_global_options(capsys):
    assert run("--help")[0] == 0
    listed = capsys.readouterr().out
    for name in main.COMMANDS:
        if not (Path(main.__file__).parent / "commands" / f"{name}.py").exists():
            continue
        assert f"  {name} " in listed
        assert run(name, "--help")[0] == 0
        shown = capsys.readouterr().out
        assert "Example" in shown, name
        assert "--output" in shown, name


def test_no_arguments_show_the_help_and_exit_with_three():
    code, out, _ = run()
    assert code == 3
    assert "Usage: ticketly" in out


def test_version():
    code, out, _ = run("--version")
    assert code == 0
    assert out.startswith("ticketly ")


def test_help_loads_no_client_library():
    script = (
        "import sys, io; from ticketly_cli import main; from ticketly_cli.printing import Terminal; "
        "code = main.execute(['--help'], Terminal(io.StringIO(), io.StringIO())); "
        "heavy = {'httpx2', 'asyncpg', 'aiokafka', 'redis', 'pymongo', 'uvloop', 'kubernetes', 'pulumi', 'kopf'}; "
        "found = heavy & set(sys.modules); assert code == 0 and not found, found"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_output_format_has_a_name():
    assert [found.value for found in OutputFormat] == ["table", "json", "yaml"]
