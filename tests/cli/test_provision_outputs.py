"""`ticketly provision outputs`: a stable shape, a platform that loads, a script that reads secrets when it runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

from ticketly_crds import spec

CANARY = "canary-41c9-hunter2-secret"
ARN = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:ticketly-dev/database-AbCdEf"


def test_outputs_have_a_stable_shape_and_secrets_are_masked_even_when_the_engine_does_not(stage):
    stage.scenario["outputs"] = {
        "vpcId": "vpc-1",
        "marked": "[secret]",
        "databasePassword": CANARY,
        "databaseSecretArn": ARN,
        "nested": {"token": "abcdefgh", "url": "postgresql://u:p4ssw0rd@db/x"},
    }
    code, out, _ = stage.run("outputs", "-o", "json")
    assert code == 0
    assert json.loads(out) == {
        "stack": "dev",
        "outputs": {
            "databasePassword": "[secret]",
            "databaseSecretArn": ARN,
            "marked": "[secret]",
            "nested": {"token": "[secret]", "url": "postgresql://[secret]@db/x"},
            "vpcId": "vpc-1",
        },
        "secret": ["databasePassword", "marked"],
    }


def test_outputs_write_a_platform_that_loads_and_a_script_without_a_secret(stage):
    stage.scenario["outputs"] = {"platform": stage.platform, "secretSources": stage.sources}
    target = stage.folder / "platform.yaml"
    code, out, err = stage.run("outputs", "--platform", str(target), "--namespace", "shop", "-o", "json")
    assert (code, err) == (0, "")
    script = stage.folder / "platform-secrets.sh"
    assert json.loads(out)["written"] == [str(target), str(script)]
    loaded = spec.load(target)
    assert (loaded.metadata.namespace, loaded.spec.postgres.host) == ("shop", "db.example.com")
    assert yaml.safe_load(target.read_text())["spec"] == stage.platform
    assert CANARY not in target.read_text() + script.read_text()


def test_the_script_makes_the_secrets_from_secrets_manager_at_run_time(stage):
    stage.scenario["outputs"] = {"platform": stage.platform, "secretSources": stage.sources}
    stage.run("outputs", "--platform", str(stage.folder / "platform.yaml"))
    value = json.dumps(json.dumps({"order": f'o"{CANARY}', "cdc": "two words\tand a tab"}))
    (stage.folder / "value").write_text(value)
    stage.tool("aws", f'echo "$@" >> {stage.folder}/aws.txt; cat {stage.folder}/value')
    stage.tool("kubectl", f'echo "$@" >> {stage.folder}/kubectl.txt; cat >> {stage.folder}/applied.jsonl')
    stage.tool("python3", f'exec {sys.executable} "$@"')
    done = subprocess.run([stage.folder / "platform-secrets.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    applied = [json.loads(line) for line in (stage.folder / "applied.jsonl").read_text().splitlines()]
    assert [(one["kind"], one["metadata"]) for one in applied] == [
        ("Secret", {"name": "t-postgres", "namespace": "ticketly"}),
        ("Secret", {"name": "t-mongo", "namespace": "ticketly"}),
    ]
    assert decoded(applied[0]) == {"order-password": f'o"{CANARY}', "cdc-password": "two words\tand a tab"}
    assert decoded(applied[1]) == {"uri": json.loads(value)}
    told = (stage.folder / "aws.txt").read_text() + (stage.folder / "kubectl.txt").read_text()
    assert CANARY not in told + done.stdout + done.stderr


def decoded(secret: dict) -> dict[str, str]:
    import base64

    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def test_a_secret_that_cannot_be_read_stops_the_script_before_anything_is_applied(stage):
    stage.scenario["outputs"] = {"platform": stage.platform, "secretSources": stage.sources}
    stage.run("outputs", "--platform", str(stage.folder / "platform.yaml"))
    stage.tool("aws", "echo denied >&2; exit 254")
    stage.tool("kubectl", f"touch {stage.folder}/applied")
    done = subprocess.run([stage.folder / "platform-secrets.sh"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert not (stage.folder / "applied").exists()


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({}, "no output `platform`"),
        ({"platform": {"postgres": {"host": "x"}}}, "spec.postgres.credentialsSecretRef: required"),
        ({"platform": {"images": {"registry": "[secret]"}}}, "holds a secret"),
        ({"platform": {}, "secretSources": [{"secretName": "a", "key": "b", "arn": "c; rm -rf /"}]}, "a/b is not one"),
    ],
)
def test_outputs_that_make_no_platform_write_nothing(stage, outputs, said):
    stage.scenario["outputs"] = outputs
    target = stage.folder / "platform.yaml"
    code, _, err = stage.run("outputs", "--platform", str(target))
    assert code == 1
    assert said in err
    assert not target.exists()
