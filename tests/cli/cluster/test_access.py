"""Getting to a cluster: kubeconfigs, refusals, logs. The API server here answers what a test wants, over real HTTP."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from ticketly_crds.blueprint import CONTRACT_PORTS
from ticketly_lab.ports import free_ports

DATA = Path(__file__).parents[1] / "data"
PLATFORM = {
    "metadata": {"name": "ticketly", "namespace": "shop", "generation": 1},
    "spec": {"version": "0.1.0"},
}


class Answers:
    """Path (without its query) -> status and body; what is not there is unknown to the server."""

    def __init__(self) -> None:
        self.by_path: dict[str, tuple[int, bytes]] = {}
        self.busy = 0
        """So many requests are answered with 429 first."""
        self.asked: list[tuple[str, str]] = []
        self.port = 0

    def give(self, path: str, body: object, status: int = 200) -> None:
        self.by_path[path] = (status, body if isinstance(body, bytes) else json.dumps(body).encode())

    def refuse(self, path: str, status: int, reason: str, message: str) -> None:
        self.give(path, {"kind": "Status", "status": "Failure", "reason": reason, "message": message}, status)


@pytest.fixture
def server() -> Iterator[Answers]:
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            answers.asked.append((path, query))
            status, body = answers.by_path.get(path, (404, b"404 page not found"))
            if answers.busy:
                answers.busy -= 1
                status, body = 429, b"{}"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the overridden argument
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        answers.port = listening.server_port
        yield answers
        listening.shutdown()
        thread.join()


def kubeconfig(folder: Path, port: int, **more: object) -> Path:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "canary-token"}}],
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "current-context": "prod",
        **more,
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def connected(command_line, server, tmp_path):
    command_line.kubeconfig = kubeconfig(tmp_path, server.port)
    return command_line


PLATFORMS = "/apis/ticketly.io/v1alpha1/namespaces/shop/ticketlyplatforms"
ITEMS = {"metadata": {}, "items": [PLATFORM]}


@pytest.mark.parametrize(
    ("arguments", "sentence", "step"),
    [
        ((), "There is no kubeconfig, so", "--kubeconfig FILE"),
        (("--kubeconfig", "absent"), "There is no kubeconfig absent, so", "--kubeconfig FILE"),
        (("--kubeconfig", "damaged"), "The kubeconfig cannot be read", "kubectl config view"),
        (("--kubeconfig", "kubeconfig", "--context", "other"), "There is no context other in", "There are: prod."),
        (("--kubeconfig", "nobody"), "names a cluster or a user that is not there", "kubectl config view"),
        (("--kubeconfig", "vague"), "names no current context", "--context: prod."),
    ],
)
def test_without_a_usable_kubeconfig_one_sentence_says_what_to_do(command_line, tmp_path, arguments, sentence, step):
    (tmp_path / "damaged").write_text("{clusters: [")
    context = {"name": "prod", "context": {"cluster": "c", "user": "nobody"}}
    kubeconfig(tmp_path, 1, contexts=[context]).rename(tmp_path / "nobody")
    kubeconfig(tmp_path, 1, **{"current-context": ""}).rename(tmp_path / "vague")
    kubeconfig(tmp_path, 1)
    code, out, err = command_line("diff", *arguments)
    assert (code, out) == (4, "")
    first, second = err.strip().splitlines()
    assert sentence in first
    assert step in second


def test_an_address_where_nobody_answers_is_named(command_line, tmp_path):
    (port,) = free_ports(1)
    command_line.kubeconfig = kubeconfig(tmp_path, port)
    code, _, err = command_line("status")
    assert code == 4
    assert f"The API server http://127.0.0.1:{port} of context prod does not answer" in err


def test_expired_credentials_are_said_without_showing_them(connected, server):
    server.refuse(PLATFORMS, 401, "Unauthorized", "Unauthorized")
    code, _, err = connected("events")
    assert code == 4
    assert "does not accept the credentials of context prod: expired or wrong" in err
    assert "Log in again" in err
    assert "canary-token" not in err


def test_a_program_for_credentials_that_fails_is_said(command_line, server, tmp_path):
    plugin = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "false", "args": [], "env": []}
    command_line.kubeconfig = kubeconfig(tmp_path, server.port, users=[{"name": "u", "user": {"exec": plugin}}])
    code, _, err = command_line("status")
    assert code == 4
    assert "The credentials of context prod cannot be used" in err


def test_a_refused_verb_is_named_with_its_resource(connected, server):
    server.refuse(PLATFORMS, 403, "Forbidden", 'User "u" cannot list resource')
    code, _, err = connected("diff")
    assert code == 4
    assert "You may not list ticketlyplatforms.ticketly.io" in err
    assert "kubectl auth can-i list ticketlyplatforms.ticketly.io" in err


@pytest.mark.parametrize("command", ["status", "diff", "events", "suspend", "resume", "reconcile"])
def test_a_cluster_that_does_not_know_us_is_told_apart_from_one_without_platforms(connected, server, command):
    code, _, err = connected(command)
    assert code == 4
    assert "does not know TicketlyPlatform" in err
    assert "ticketly install" in err
    server.give(PLATFORMS, {"metadata": {}, "items": []})
    server.give("/apis/ticketly.io/v1alpha1/ticketlyplatforms", {"metadata": {}, "items": []})
    code, _, err = connected(command)
    assert code == 4
    assert "There is no platform in namespace shop." in err
    assert "ticketly apply -f FILE" in err


def test_a_server_in_trouble_is_not_a_bad_file(connected, server):
    server.refuse(PLATFORMS, 500, "InternalError", "etcdserver: request timed out")
    code, _, err = connected("status")
    assert code == 4
    assert "etcdserver: request timed out" in err


def test_a_busy_server_is_asked_again_and_not_for_ever(connected, server):
    server.give(PLATFORMS, ITEMS)
    server.give("/apis/apps/v1/deployments", {"metadata": {}, "items": []})
    server.busy = 2
    assert connected("status")[0] == 0
    server.busy = 1000
    assert connected("status")[0] == 4
    assert server.busy > 900


@pytest.fixture
def pods(server) -> Answers:
    server.give(PLATFORMS, ITEMS)
    server.give(
        "/api/v1/namespaces/shop/pods",
        {
            "metadata": {},
            "items": [
                {
                    "metadata": {
                        "name": f"order-{n}",
                        "namespace": "shop",
                        "creationTimestamp": f"2026-01-0{n}T00:00:00Z",
                    }
                }
                for n in (2, 1)
            ],
        },
    )
    server.give("/api/v1/namespaces/shop/pods/order-1/log", b"one\ntwo\n")
    server.refuse("/api/v1/namespaces/shop/pods/order-2/log", 500, "InternalError", "no kubelet")
    return server


def test_logs_of_all_pods_of_a_service_each_line_after_its_pod(connected, pods):
    code, out, _ = connected("logs", "order", "-n", "7")
    assert code == 0
    assert out == "order-1  one\norder-1  two\norder-2  no log: no kubelet\n"
    assert ("/api/v1/namespaces/shop/pods/order-1/log", "tailLines=7") in pods.asked
    selector = next(query for path, query in pods.asked if path == "/api/v1/namespaces/shop/pods")
    assert "component%3Dorder" in selector.replace("%2F", "/")
    code, told = connected.data("logs", "order")
    assert told["pods"][0] == {"name": "order-1", "lines": ["one", "two"]}


def test_followed_logs_come_from_all_pods_until_they_end(connected, pods):
    code, out, _ = connected("logs", "order", "--follow")
    assert code == 0
    assert sorted(out.splitlines()) == ["order-1  one", "order-1  two", "order-2  no log: no kubelet"]
    assert any("follow=true" in query for _, query in pods.asked)


def test_logs_of_a_service_that_does_not_exist_name_those_that_do(connected, pods):
    code, _, err = connected("logs", "nothing")
    assert code == 3
    assert ", ".join([*sorted(CONTRACT_PORTS), "operator"]) in err
    pods.give("/apis/apps/v1/deployments", {"metadata": {}, "items": []})
    code, _, err = connected("logs", "operator")
    assert code == 4
    assert "No operator is visible" in err


def test_options_for_clusters_are_refused_on_this_machine(command_line):
    for arguments in (("status", "--wait"), ("status", "--check"), ("status", "-n", "shop")):
        code, _, err = command_line(*arguments)
        assert code == 3
        assert "--context" in err


@pytest.mark.parametrize("command", ["kafka topics", "kafka lag", "kafka peek t", "connectors"])
def test_without_a_platform_kafka_commands_say_what_to_start_or_name(command_line, command):
    code, out, err = command_line(*command.split())
    assert (code, out) == (4, "")
    assert "ticketly up" in err


def test_addresses_where_no_kafka_and_no_connect_answer_are_named(command_line):
    (port,) = free_ports(1)
    code, _, err = command_line("kafka", "topics", "--bootstrap-servers", f"127.0.0.1:{port}")
    assert code == 4
    assert f"Kafka at 127.0.0.1:{port} cannot be asked from here" in err
    code, _, err = command_line("connectors", "--connect-url", f"http://user:canary-1@127.0.0.1:{port}")
    assert code == 4
    assert f"Kafka Connect at http://127.0.0.1:{port} does not answer" in err
    assert "canary" not in err


def test_connectors_are_shown_as_connect_tells_them(command_line, server):
    task = {
        "id": 0,
        "state": "FAILED",
        "worker_id": "w:1",
        "trace": "E: outer\nCaused by: E: password=canary-1 refused",
    }
    status = {"connector": {"state": "RUNNING", "worker_id": "w:1"}, "tasks": [task]}
    info = {"config": {"slot.name": "s", "database.password": "canary-2"}}
    server.give("/connectors", {"outbox": {"status": status, "info": info}})
    code, told = command_line.data("connectors", "--connect-url", f"http://127.0.0.1:{server.port}")
    assert code == 0
    assert told["connectors"][0]["tasks"] == [
        {"id": 0, "state": "FAILED", "worker": "w:1", "problem": "E: password=[redacted] refused"}
    ]
    assert "canary" not in json.dumps(told)


def test_a_file_for_a_kafka_with_passwords_says_where_they_are_taken_from(command_line):
    security = {"protocol": "SASL_SSL", "credentialsSecretRef": {"name": "kafka"}}
    content = command_line.document()
    content["spec"]["kafka"]["security"] = security
    code, _, err = command_line("kafka", "topics", "-f", command_line.write(content))
    assert code == 3
    assert "TICKETLY_KAFKA_PASSWORD" in err


# --- render ----------------------------------------------------------------------------------------------------------


def test_rendering_is_the_same_each_time_and_needs_no_cluster(command_line):
    sale = {"name": "spring", "start": "2027-03-01T09:00:00Z", "leadMinutes": 10, "durationMinutes": 60}
    file = command_line.write(command_line.document(flashSales=[{**sale, "minReplicas": {"order": 6}}]))
    code, first, _ = command_line("render", "-f", file)
    assert code == 0
    assert command_line("render", "-f", file)[1] == first
    objects = list(yaml.safe_load_all(first))
    assert objects == command_line.data("render", "-f", file)[1]["objects"]
    assert not any(each["kind"] == "Middleware" for each in objects)
    traefik = command_line.data("render", "-f", file, "--optional-kind", "Middleware.traefik.io")[1]["objects"]
    assert any(each["kind"] == "Middleware" for each in traefik)
    during = command_line.data("render", "-f", file, "--at", "2027-03-01T09:30:00Z")[1]["objects"]
    assert (_minimum(objects), _minimum(during)) == (2, 6)
    rotated = command_line("render", "-f", file, "--secret-version", "ticketly-postgres=2")[1]
    assert rotated != first


def _minimum(objects) -> int:
    return next(
        each["spec"]["minReplicas"]
        for each in objects
        if each["kind"] == "HorizontalPodAutoscaler" and each["metadata"]["name"] == "ticketly-order"
    )


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--optional-kind", "Pod", "Middleware.traefik.io"),
        ("--secret-version", "nothing", "NAME=TEXT"),
        ("--at", "tomorrow", "2027-03-01T09:00:00Z"),
        ("--file", "absent.yaml", "absent.yaml cannot be read"),
    ],
)
def test_wrong_wishes_for_rendering_are_named(command_line, option, value, said):
    code, out, err = command_line("render", "-f", command_line.write(command_line.document()), option, value)
    assert (code, out) == (3, "")
    assert said in err


@pytest.mark.parametrize("command", ["plan", "apply", "render"])
def test_a_file_that_is_not_valid_names_the_field_before_anything_is_asked(command_line, command):
    content = command_line.document()
    content["spec"]["services"]["order"]["autoscaling"] = {"min": 4, "max": 2}
    code, out, err = command_line(command, "-f", command_line.write(content))
    assert (code, out) == (3, "")
    assert "spec.services.order.autoscaling" in err
    incomplete = command_line.document()
    del incomplete["spec"]["kafka"]
    code, _, err = command_line(command, "-f", command_line.write(incomplete))
    assert code == 3
    assert "spec.kafka" in err


# --- help ------------------------------------------------------------------------------------------------------------

COMMANDS = (
    *("install", "uninstall", "crd", "crd upgrade", "render", "plan", "apply", "diff", "status", "events", "logs"),
    *("restart", "suspend", "resume", "reconcile", "report", "kafka", "kafka topics", "kafka lag", "kafka peek"),
    "connectors",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_is_as_recorded(command, command_line, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert command_line(*command.split(), "--help")[0] == 0
    shown = capsys.readouterr().out
    recorded = DATA / f"help-{command.replace(' ', '-')}.txt"
    assert shown == recorded.read_text(), f"if the change is wanted: ticketly {command} --help > {recorded}"
    assert "Examples:" in shown


HEAVY = (
    "'httpx2', 'lightkube', 'aiokafka', 'asyncpg', 'pymongo', 'ticketly_operator', 'ticketly_crds', 'kopf', 'pulumi'"
)


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--help"], ["kafka", "topics", "--help"]])
def test_help_of_cluster_commands_loads_no_client(arguments):
    script = (
        "import sys, io; from ticketly_cli import main; from ticketly_cli.printing import Terminal; "
        f"code = main.execute({arguments!r}, Terminal(io.StringIO(), io.StringIO())); "
        f"found = {{{HEAVY}}} & set(sys.modules); assert code == 0 and not found, found"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_shell_completes_commands_and_options(monkeypatch):
    script = "import sys; from ticketly_cli.main import run; sys.argv = ['ticketly']; run()"
    completing: Callable[[str], str] = lambda words: subprocess.run(  # noqa: E731 - used twice below
        [sys.executable, "-c", script],
        env={"PATH": "/usr/bin:/bin", "_TICKETLY_COMPLETE": "complete_bash", "COMP_WORDS": words,
             "COMP_CWORD": str(len(words.split()))},
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    assert {"install", "kafka", "connectors"} <= set(re.findall(r"[a-z-]+", completing("ticketly ")))
    assert {"topics", "lag", "peek"} <= set(re.findall(r"[a-z-]+", completing("ticketly kafka ")))
