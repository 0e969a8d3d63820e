"""`ticketly provision` on a program that speaks the engine's protocol: plans, approvals, interruptions, secrets."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ticketly_cli import main
from ticketly_cli.printing import Terminal

CANARY = "canary-41c9-hunter2-secret"
PROTOCOL = Path(__file__).parent / "engine_protocol.py"
DATA = Path(__file__).parent / "data"
LOCKED = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock"
    " file with `pulumi cancel`.\n  s3://state/.pulumi/locks/organization/ticketly/dev/22d8693a.json"
    "?region=ap-south-1: created by mira@laptop (pid 4242) at 2027-01-04T10:00:00Z\n"
)
ARN = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:ticketly-dev/database-AbCdEf"


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:dev::ticketly::ticketly:infra:Database${kind}::{name}"


def metadata(operation: str, kind: str, name: str, *, protect: bool = False, keys: tuple[str, ...] = ()) -> dict:
    state = {"type": kind, "urn": urn(kind, name), "custom": True, "protect": protect, "inputs": {"password": CANARY}}
    return {
        "op": operation,
        "urn": urn(kind, name),
        "type": kind,
        "provider": "",
        "new": state,
        "old": state,
        "keys": list(keys),
        "detailedDiff": {key: {"diffKind": "update-replace"} for key in keys},
    }


def events(*steps: dict, done: bool = False) -> list[dict]:
    found = [{"resourcePreEvent": {"metadata": one, "planning": not done}} for one in steps]
    return found + ([{"resOutputsEvent": {"metadata": one, "planning": False}} for one in steps] if done else [])


DATABASE = ("aws:rds/instance:Instance", "orders")
CREATE = metadata("create", "aws:ec2/vpc:Vpc", "network")
UPDATE = metadata("update", "aws:sqs/queue:Queue", "reminders", keys=("visibilityTimeoutSeconds",))
REPLACE = [metadata(op, *DATABASE, keys=("engine",)) for op in ("create-replacement", "replace", "delete-replaced")]
DELETE = metadata("delete", "aws:s3/bucket:Bucket", "uploads")


def test_without_the_program_one_sentence_names_it(stage):
    (stage.tools / "pulumi").unlink()
    code, out, err = stage.run("preview", "--stack", "dev")
    assert (code, out) == (4, "")
    first, second = err.splitlines()
    assert first == "error: The program `pulumi` is not installed."
    assert "install" in second


def test_without_the_package_one_sentence_says_what_to_run(stage, monkeypatch):
    monkeypatch.setitem(sys.modules, "pulumi", None)
    monkeypatch.delitem(sys.modules, "pulumi.automation", raising=False)
    code, _, err = stage.run("preview")
    assert code == 4
    assert "scripts/bootstrap --all-packages" in err
    assert len(err.splitlines()) == 2


def test_without_credentials_one_sentence_says_how_to_sign_in(stage, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    code, _, err = stage.run("preview")
    assert code == 4
    assert err.startswith("error: There are no AWS credentials.\n")
    assert stage.calls() == []


@pytest.mark.parametrize("version", ["v2.9.0", "3.100.0", "4.0.0", "nonsense"])
def test_a_program_of_another_age_is_refused_by_version(stage, version):
    (stage.folder / "version").write_text(version)
    code, _, err = stage.run("preview")
    assert code == 4
    assert "version" in err


def test_without_a_place_for_the_state_it_is_asked_for(stage, monkeypatch):
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    code, _, err = stage.run("preview")
    assert code == 3
    assert "--backend" in err


def test_a_preview_lists_changes_with_what_can_lose_data_first(stage):
    steps = [CREATE, UPDATE, metadata("same", "aws:ec2/subnet:Subnet", "a"), *REPLACE, DELETE]
    stage.scenario["preview"] = {"events": events(*steps)}
    code, out, _ = stage.run("preview", "--stack", "dev", "-o", "json")
    assert code == 0
    data = json.loads(out)
    assert [(one["operation"], one["name"], one["stateful"]) for one in data["changes"]] == [
        ("delete", "uploads", True),
        ("replace", "orders", True),
        ("update", "reminders", True),
        ("create", "network", False),
    ]
    assert data["counts"] == {"create": 1, "update": 1, "replace": 1, "delete": 1, "unchanged": 1}
    assert data["needs_approval"] == {"replace": ["orders"], "delete": ["uploads"]}
    assert data["changes"][1]["because"] == ["engine"]
    assert CANARY not in out


def test_a_preview_for_people_says_what_has_to_be_approved(stage):
    stage.scenario["preview"] = {"events": events(*REPLACE, CREATE)}
    code, out, err = stage.run("preview")
    assert code == 0
    assert "can lose data and have to be approved by name: orders (replace)" in out
    assert "1 to create, 1 to replace; 0 unchanged" in out
    assert "\x1b" not in out + err


def test_a_missing_stack_is_made_with_encryption_and_its_profile(stage):
    (stage.folder / "stack").unlink()
    stage.scenario["config"] = {}
    assert stage.run("preview", "--stack", "prod", "--region", "eu-west-1")[0] == 0
    made = next(call for call in stage.calls() if "init" in call)
    assert made[made.index("--secrets-provider") + 1] == "awskms://alias/ticketly-state?region=eu-west-1"
    settings = next(call for call in stage.calls() if "set-all" in call)
    assert {"aws:region=eu-west-1", "ticketly:profile=prod"} <= set(settings)


def test_settings_that_are_right_are_not_written_again(stage):
    stage.scenario["config"]["ticketly:profile"] = {"value": "dev", "secret": False}
    stage.run("preview")
    assert not stage.did("set-all")


def test_yes_does_not_cover_a_loss_of_data(stage):
    stage.scenario["preview"] = {"events": events(*REPLACE, DELETE, CREATE)}
    code, _, err = stage.run("up", "--yes")
    assert code == 1
    assert "orders (replace)" in err
    assert "--allow-delete uploads --allow-replace orders" in err
    assert not stage.did("up")


@pytest.mark.parametrize(
    "approvals",
    [
        ("--allow-replace", "orders"),
        ("--allow-delete", "orders"),
        ("--allow-replace", "uploads", "--allow-delete", "x"),
    ],
)
def test_an_approval_covers_one_name_and_one_kind_of_loss(stage, approvals):
    stage.scenario["preview"] = {"events": events(*REPLACE, DELETE)}
    assert stage.run("up", "--yes", *approvals)[0] == 1
    assert not stage.did("up")


def test_approved_losses_go_through(stage):
    stage.scenario["preview"] = {"events": events(*REPLACE, DELETE)}
    stage.scenario["up"] = {"events": events(*REPLACE, DELETE, done=True)}
    code, out, _ = stage.run(
        "up", "--yes", "--allow-replace", "orders", "--allow-delete", "uploads", "-o", "json"
    )  # fmt: skip
    assert code == 0
    data = json.loads(out)
    assert (data["action"], data["changed"], data["outputs"]) == ("up", 2, {"vpcId": "vpc-1"})
    assert stage.did("up")


@pytest.mark.parametrize(
    ("answers", "goes_on"),
    [("orders\nyes\n", True), ("yes\nyes\n", False), ("orders\nno\n", False), ("orders\n\n", False), ("", False)],
)
def test_a_person_approves_a_loss_by_typing_the_name(stage, answers, goes_on):
    stage.scenario["preview"] = {"events": events(*REPLACE)}
    stage.scenario["up"] = {"events": events(*REPLACE, done=True)}
    code, _, err = stage.run("up", answers=answers)
    assert (code == 0) is goes_on
    assert stage.did("up") is goes_on
    assert "Type its name to approve" in err


def test_without_a_terminal_and_without_yes_nothing_happens(stage):
    stage.scenario["preview"] = {"events": events(CREATE)}
    code, _, err = stage.run("up")
    assert code == 3
    assert "--yes" in err
    assert not stage.did("up")


def test_a_held_lock_names_its_holder_and_the_command_to_release_it(stage):
    stage.scenario["preview"] = {"events": events(CREATE)}
    stage.scenario["up"] = {"locked": LOCKED}
    code, _, err = stage.run("up", "--yes")
    assert code == 4
    assert "mira@laptop (process 4242) since 2027-01-04T10:00:00Z" in err
    assert f"pulumi cancel --cwd {stage.project} dev" in err


def test_policy_violations_are_named_with_resource_and_rule(stage):
    message = f"policy encrypted: uploads: is not encrypted\npolicy no-public-access: orders: is public {CANARY}"
    stage.scenario["preview"] = {
        "events": [{"diagnosticEvent": {"message": message, "severity": "error", "color": "never"}}],
        "error": "error: an unhandled error occurred",
    }
    code, out, err = stage.run("preview")
    assert code == 1
    assert "uploads breaks encrypted (is not encrypted)" in err
    assert "orders breaks no-public-access" in err
    assert CANARY not in out + err


def test_a_failed_update_names_the_resource_and_never_a_secret(stage):
    stage.scenario["preview"] = {"events": events(CREATE)}
    text = f"<{{%fg 1%}}>creating VPC: limit exceeded, password={CANARY} postgresql://u:{CANARY}@db/x<{{%reset%}}>"
    stage.scenario["up"] = {
        "events": [
            {"resourcePreEvent": {"metadata": CREATE}},
            {"diagnosticEvent": {"message": text, "severity": "error", "color": "never"}},
            {"resOpFailedEvent": {"metadata": CREATE, "status": 1, "steps": 1}},
        ],
        "error": f"error: update failed {CANARY}\n",
    }
    code, out, err = stage.run("up", "--yes", "--debug")
    assert code == 1
    assert "failed at network: creating VPC: limit exceeded" in err
    assert "doctor" in err
    assert CANARY not in out + err
    assert "<{%" not in err


PENDING = {
    "deployment": {
        "resources": [],
        "pending_operations": [
            {
                "resource": {"urn": urn(*DATABASE), "custom": True, "id": "", "inputs": {"p": CANARY}},
                "type": "creating",
            },
            {"resource": {"urn": urn("aws:sqs/queue:Queue", "mail"), "custom": True, "id": "q"}, "type": "updating"},
        ],
    }
}


@pytest.mark.parametrize(
    ("left", "said"),
    [(PENDING, "orders (creating), mail (updating)"), ({"deployment": {}}, "Nothing is left half done")],
)
def test_an_interruption_cancels_once_says_what_is_left_and_exits_with_130(stage, left, said):
    stage.scenario["preview"] = {"events": events(CREATE)}
    stage.scenario["up"] = {"events": events(CREATE), "until_interrupted": True, "export_afterwards": left}
    stage.save()
    command = [
        sys.executable, "-m", "ticketly_cli.main", "provision", "up", "--yes", "--project", str(stage.project),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not (stage.folder / "running").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert said in err
    assert (stage.folder / "interruptions").read_text() == "1"
    assert CANARY not in err


def test_destroy_stops_at_protected_resources_and_says_how_to_give_them_up(stage):
    stage.scenario["export"] = {
        "deployment": {
            "resources": [
                {"urn": urn(*DATABASE), "type": DATABASE[0], "custom": True, "protect": True},
                {"urn": urn("aws:ec2/vpc:Vpc", "network"), "type": "aws:ec2/vpc:Vpc", "custom": True},
            ]
        }
    }
    code, _, err = stage.run("destroy", "--yes", "--allow-delete", "orders")
    assert code == 1
    assert "orders (aws:rds/instance:Instance)" in err
    assert "pulumi state unprotect" in err
    assert not stage.did("destroy")


def test_destroy_asks_for_stateful_resources_by_name(stage):
    stage.scenario["preview_destroy"] = {"events": events(DELETE)}
    stage.scenario["destroy"] = {"events": events(DELETE, done=True)}
    assert stage.run("destroy", "--yes")[0] == 1
    assert not stage.did("destroy")
    code, out, _ = stage.run("destroy", "--yes", "--allow-delete", "uploads", "-o", "json")
    assert code == 0
    assert json.loads(out)["changed"] == 1


@pytest.mark.parametrize("command", ["outputs", "destroy"])
def test_a_stack_that_does_not_exist_is_not_made_on_the_way(stage, command):
    (stage.folder / "stack").unlink()
    code, _, err = stage.run(command)
    assert code == 4
    assert "There is no stack dev" in err
    assert not stage.did("init")


AWS_ANSWERS = {
    "get-caller-identity": {"Arn": "arn:aws:iam::123456789012:user/mira"},
    "get-bucket-encryption": {
        "ServerSideEncryptionConfiguration": {
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
        }
    },
    "get-public-access-block": {"PublicAccessBlockConfiguration": dict.fromkeys("abcd", True)},
    "get-bucket-versioning": {"Status": "Enabled"},
    "list-objects-v2": {},
    "get-service-quota": {"Quota": {"Value": 64.0}},
}


def with_aws(stage, **changed: dict) -> None:
    for name, answer in {**AWS_ANSWERS, **changed}.items():
        (stage.folder / f"aws-{name}.json").write_text(json.dumps(answer))
    stage.tool("aws", f'cat {stage.folder}/aws-"$2".json')


def test_doctor_finds_nothing_wrong_where_nothing_is(stage):
    with_aws(stage)
    stage.scenario["export"]["deployment"]["secrets_providers"] = {
        "type": "cloud", "state": {"url": "awskms://alias/ticketly-state"},
    }  # fmt: skip
    code, out, _ = stage.run("doctor", "-o", "json")
    data = json.loads(out)
    assert [one for one in data["checks"] if one["state"] != "ok"] == []
    assert code == 0
    names = [one["name"] for one in data["checks"]]
    assert set(names) == {
        "program", "package", "credentials", "project", "region", "backend", "backend access", "lock", "stack",
        "secrets in the state", "open operations", "policies", "quota",
    }  # fmt: skip


def test_doctor_explains_every_open_operation(stage):
    with_aws(stage)
    stage.scenario["export"] = PENDING
    code, out, _ = stage.run("doctor", "-o", "json")
    assert code == 4
    first, second = json.loads(out)["pending"]
    assert (first["name"], first["operation"]) == ("orders", "creating")
    assert "may exist in AWS" in first["meaning"]
    assert first["check"] == "aws rds describe-db-instances --region ap-south-1"
    assert "--clear-pending-creates" in first["repair"]
    assert second["repair"] == f"`pulumi refresh --stack dev --cwd {stage.project}`"
    _, out, err = stage.run("doctor")
    assert "orders (aws:rds/instance:Instance)" in out
    assert CANARY not in out + err


def test_doctor_shows_who_holds_a_lock_in_a_folder_and_warns_of_the_folder(stage):
    with_aws(stage)
    folder = stage.folder / "state" / ".pulumi" / "locks" / "organization" / "ticketly" / "dev"
    folder.mkdir(parents=True)
    lock = {"pid": 7, "username": "mira", "hostname": "laptop", "timestamp": "2027-01-04T10:00:00Z"}
    (folder / "a.json").write_text(json.dumps(lock))
    (folder / "b.json").write_text("half a li")
    _, out, _ = stage.run("doctor", "--backend", f"file://{stage.folder}/state", "-o", "json")
    found = {(one["name"], one["state"]): one for one in json.loads(out)["checks"]}
    held = [one["detail"] for one in json.loads(out)["checks"] if one["name"] == "lock"]
    assert "mira@laptop (process 7) since 2027-01-04T10:00:00Z" in held[0]
    assert "somebody unknown" in held[1]
    assert ("backend", "warning") in found


@pytest.mark.parametrize(
    ("changed", "name", "state"),
    [
        ({"get-bucket-encryption": {}}, "backend", "warning"),
        ({"get-public-access-block": {}}, "backend access", "failed"),
        ({"get-bucket-versioning": {}}, "backend history", "warning"),
        ({"get-service-quota": {"Quota": {"Value": 0.0}}}, "quota", "warning"),
        ({"list-objects-v2": {"Contents": [{"Key": "k", "LastModified": "2027"}]}}, "lock", "warning"),
    ],
)
def test_doctor_names_what_is_not_right_in_aws(stage, changed, name, state):
    with_aws(stage, **changed)
    _, out, _ = stage.run("doctor", "-o", "json")
    assert (name, state) in {(one["name"], one["state"]) for one in json.loads(out)["checks"]}


def test_doctor_names_everything_that_is_missing_at_once(stage, monkeypatch):
    (stage.tools / "pulumi").unlink()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    code, out, _ = stage.run("doctor", "-o", "json")
    assert code == 4
    failed = {one["name"] for one in json.loads(out)["checks"] if one["state"] == "failed"}
    assert failed == {"program", "credentials", "backend"}


def test_nothing_ever_asks_the_engine_for_secrets_in_clear(stage):
    with_aws(stage)
    stage.scenario["preview"] = {"events": events(CREATE)}
    stage.scenario["up"] = {"events": events(CREATE, done=True)}
    stage.scenario["outputs"] = {"platform": stage.platform, "secretSources": stage.sources, "x": "[secret]"}
    seen = ""
    for arguments in (
        ("preview",), ("up", "--yes"), ("outputs", "--platform", str(stage.folder / "p.yaml")), ("doctor",),
        ("destroy", "--yes"),
    ):  # fmt: skip
        for shape in ((), ("-o", "json"), ("-o", "yaml", "--debug")):
            _, out, err = stage.run(*arguments, *shape)
            seen += out + err
    assert CANARY not in seen
    assert [call for call in stage.calls() if "--show-secrets" in call] == []
    written = [path for path in stage.folder.rglob("*") if path.is_file() and path.suffix in {".yaml", ".sh"}]
    assert [path for path in written if CANARY in path.read_text()] == []


@pytest.mark.parametrize("command", ["", "preview", "up", "outputs", "destroy", "doctor"])
def test_help_is_as_recorded(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    words = ["provision", *([command] if command else [])]
    assert main.execute([*words, "--help"], Terminal(io.StringIO(), io.StringIO())) == 0
    recorded = DATA / f"help-{'-'.join(words)}.txt"
    assert capsys.readouterr().out == recorded.read_text(), f"if wanted: ticketly {' '.join(words)} --help > {recorded}"


def test_help_loads_no_pulumi():
    script = (
        "import sys, io; from ticketly_cli import main; from ticketly_cli.printing import Terminal; "
        "main.execute(['provision', 'up', '--help'], Terminal(io.StringIO(), io.StringIO())); "
        "found = {'pulumi', 'pulumi_aws', 'grpc', 'ticketly_infra'} & set(sys.modules); assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
