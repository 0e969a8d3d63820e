"""Parts of the lab that need no cluster: certificates, kubeconfigs, audit log, stages, processes, permission."""

from __future__ import annotations

import copy
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketly_cli.errors import CliError
from ticketly_cli.local.identity import is_alive
from ticketly_lab import __main__ as command
from ticketly_lab import audit, certificates, children, for_tests, kubeconfigs, stages
from ticketly_lab.children import Children
from ticketly_lab.control_plane import ControlPlane
from ticketly_lab.ports import COUNT, FIRST, free_ports

EVENT: dict[str, Any] = {
    "kind": "Event",
    "verb": "patch",
    "user": {"username": "system:serviceaccount:ticketly:operator"},
    "userAgent": "ticketly-operator",
    "objectRef": {
        "resource": "deployments",
        "namespace": "shop",
        "name": "order",
        "apiGroup": "apps",
        "subresource": "status",
    },
    "responseStatus": {"code": 409},
    "requestReceivedTimestamp": "2026-11-20T10:00:00.123456Z",
}


def test_a_line_of_the_audit_log_becomes_a_request() -> None:
    request = audit.parse(json.dumps(EVENT))
    assert request == audit.Request(
        at=datetime(2026, 11, 20, 10, 0, 0, 123456, tzinfo=UTC),
        user="system:serviceaccount:ticketly:operator",
        verb="patch",
        group="apps",
        resource="deployments/status",
        namespace="shop",
        name="order",
        code=409,
        agent="ticketly-operator",
    )
    assert request.writes


@given(st.integers(0, len(json.dumps(EVENT)) - 1))
@settings(max_examples=40)
def test_a_line_that_is_still_being_written_is_left_out(length: int) -> None:
    assert list(audit.parse_all([json.dumps(EVENT)[:length]])) == []


def test_requests_about_no_resource_are_left_out() -> None:
    assert audit.parse(json.dumps({**EVENT, "objectRef": None})) is None


def test_requests_are_counted_by_user_verb_and_resource() -> None:
    other = {**EVENT, "verb": "get"}
    counted = audit.count(audit.parse_all(json.dumps(event) for event in (EVENT, EVENT, other)))
    user = "system:serviceaccount:ticketly:operator"
    assert counted == {(user, "patch", "deployments/status"): 2, (user, "get", "deployments/status"): 1}


def upstream(*names: str) -> list[dict[str, Any]]:
    return [{"metadata": {"name": name}, "spec": {"selector": {"matchExpressions": []}}} for name in names]


def test_pods_that_go_wrong_are_left_to_our_stages() -> None:
    given_stages = upstream("pod-ready", "pod-complete", "pod-delete")
    before = copy.deepcopy(given_stages)
    found = {stage["metadata"]["name"]: stage for stage in stages.with_failures(given_stages)}
    assert given_stages == before
    assert {"pod-image-missing", "pod-crashing", "job-pod-fails"} < set(found)
    (narrowed,) = found["pod-ready"]["spec"]["selector"]["matchExpressions"]
    assert narrowed["operator"] == "DoesNotExist"
    assert found["pod-delete"]["spec"]["selector"]["matchExpressions"] == []


def test_a_kwok_without_the_stages_we_narrow_is_refused() -> None:
    with pytest.raises(ValueError, match="no stage pod-complete"):
        stages.with_failures(upstream("pod-ready"))


def test_a_client_trusts_the_serving_certificate_on_loopback(tmp_path: Path) -> None:
    issued = certificates.issue(tmp_path / "pki", datetime.now(UTC))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(issued.serving.certificate, issued.serving.key)
    client = ssl.create_default_context(cafile=str(issued.authority))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with listener.accept()[0] as accepted, server.wrap_socket(accepted, server_side=True) as secured:
                secured.sendall(b"hello")

        thread = threading.Thread(target=answer)
        thread.start()
        with (
            socket.create_connection(listener.getsockname()) as plain,
            client.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            assert secured.recv(5) == b"hello"
        thread.join()


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    issued = certificates.issue(tmp_path / "pki", datetime.now(UTC))
    for path in (issued.serving.key, issued.front_proxy_client.key, issued.service_accounts):
        assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700


def test_another_user_s_kubeconfig_keeps_nothing_of_the_first_one_s(tmp_path: Path) -> None:
    admin = kubeconfigs.with_token("https://127.0.0.1:1", b"PEM", "admin", "secret-of-admin")
    path = kubeconfigs.write(tmp_path / "other", kubeconfigs.with_other_user(admin, "robot", "other", "shop"))
    assert "secret-of-admin" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    (context,) = kubeconfigs.read(path)["contexts"]
    assert context["context"] == {"cluster": "lab", "user": "robot", "namespace": "shop"}


def test_free_ports_are_different_and_below_the_ephemeral_range() -> None:
    found = free_ports(20)
    assert len(set(found)) == 20
    assert all(FIRST <= port < FIRST + COUNT for port in found)


@pytest.mark.parametrize(
    ("environment", "in_file"),
    [
        ({"TICKETLY_TEST_KUBE_CONTEXT": "dev", "TICKETLY_TEST_KUBE_CONTEXTS": "stage, dev"}, ""),
        ({"TICKETLY_TEST_KUBE_CONTEXT": "dev"}, "# may be written to\ndev  # mine\n"),
    ],
)
def test_a_named_context_is_used_when_it_is_allowed(environment: dict[str, str], in_file: str) -> None:
    assert for_tests.named_context(environment, in_file) == "dev"


def test_a_context_that_nobody_allowed_is_refused() -> None:
    with pytest.raises(CliError, match="not allowed to write to the cluster of context production"):
        for_tests.named_context({"TICKETLY_TEST_KUBE_CONTEXT": "production"}, "dev")


def test_an_allowed_context_that_nobody_named_is_not_used() -> None:
    assert for_tests.named_context({"TICKETLY_TEST_KUBE_CONTEXTS": "dev", "KUBECONFIG": "/x"}, "dev") == ""


# Processes ------------------------------------------------------------------------------------------------------------

SLEEP = ("sleep", "600")
SHELL_WITH_CHILD = ("sh", "-c", "sleep 600 & wait")


def test_killing_reaches_the_children_of_a_stopped_process_too(tmp_path: Path) -> None:
    running = Children(tmp_path)
    running.start("one", SLEEP)
    running.start("two", SHELL_WITH_CHILD)
    running.signal("one", signal.SIGSTOP)
    identities = [running.identity(name) for name in running.names()]
    running.kill_all()
    assert not any(is_alive(identity) for identity in identities)
    assert children.recorded(tmp_path) == {}
    running.kill_all()


def test_a_program_that_ends_at_once_is_reported_with_what_it_wrote(tmp_path: Path) -> None:
    async def never() -> None:
        raise ConnectionRefusedError

    running = Children(tmp_path)
    running.start("broken", ("sh", "-c", "echo 'unknown flag: --nonsense'; exit 3"))
    with pytest.raises(CliError, match=r"broken did not start: exited with code 3: unknown flag: --nonsense"):
        children.run_apart(running.ready("broken", never, 30))
    running.kill_all()


def test_released_processes_run_on_until_somebody_ends_them(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from ticketly_lab.children import Children
running = Children(Path({str(tmp_path)!r}))
running.start("kept", {SLEEP!r})
running.release()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)
    (identity,) = children.recorded(tmp_path).values()
    assert is_alive(identity)
    assert children.kill_recorded(tmp_path) == ["kept"]
    assert not is_alive(identity)
    assert children.kill_recorded(tmp_path) == []


def test_processes_end_with_an_interpreter_that_dies_of_an_exception(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from ticketly_lab.children import Children
running = Children(Path({str(tmp_path)!r}))
running.start("lost", {SLEEP!r})
print(running.identity("lost").pid, flush=True)
raise SystemError
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert "SystemError" in done.stderr
    assert not Path("/proc", done.stdout.strip()).exists()


# The command ----------------------------------------------------------------------------------------------------------


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("five years of work")
    with pytest.raises(CliError, match="is not empty and holds no control plane"):
        ControlPlane.start(tmp_path)
    assert (tmp_path / "thesis.txt").exists()
    assert command.run(["down", "--folder", str(tmp_path)]) == 0
    assert (tmp_path / "thesis.txt").exists()


def test_the_shell_environment_of_nothing_names_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run(["shell-env", "--folder", str(tmp_path)]) == 4
    assert f"up --folder {tmp_path}" in capsys.readouterr().err
