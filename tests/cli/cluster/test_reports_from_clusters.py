"""The support bundle of a platform in a cluster: everything but secrets."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.kubernetes


def test_a_report_holds_everything_but_secrets(person, tmp_path):
    content, canary = person.platform(), person.canary
    content["spec"]["services"]["order"]["env"] = [{"name": "TICKETLY_LEGACY_LOGIN", "value": canary}]
    person.give_secrets(content)
    with person.operator():
        assert person.apply(content)[0] == 0
        person.settle()
    person.cluster.apply(
        {
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "leak", "namespace": person.namespace},
            "type": "Warning", "reason": "Leak", "lastTimestamp": "2026-11-26T05:00:00Z",
            "message": f"login failed for postgresql://order:{canary}@db.example.com/order",
            "involvedObject": {"kind": "Pod", "name": "ticketly-order-1", "namespace": person.namespace},
        }
    )  # fmt: skip
    target = tmp_path / "bundle.tar.gz"
    code, told = person.data("report", "-n", person.namespace, "--to", str(target))
    assert code == 0
    assert target.stat().st_mode & 0o777 == 0o600
    files = _unpacked(target)
    everything = "\n".join(files.values())
    assert canary not in everything
    assert canary not in json.dumps(told)
    assert "kind: Secret\n" not in everything
    assert yaml.safe_load(files["platform.yaml"])["spec"]["version"] == "0.1.0"
    assert "TICKETLY_LEGACY_LOGIN" in everything
    deployments = yaml.safe_load(files["objects/deployments.yaml"])
    assert {each["metadata"]["name"] for each in deployments} >= {"ticketly-order", "ticketly-event-query"}
    assert any(each["reason"] == "Leak" for each in json.loads(files["events.json"])["events"])
    index = json.loads(files["report.json"])
    assert index["versions"]["ticketly-cli"]
    assert set(index["parts"]) == set(files) - {"report.json"}
    assert {each["name"] for each in told["parts"]} == set(files)
    code, _, err = person("report", "-n", person.namespace, "--to", str(target))
    assert code == 1, "an existing file is not replaced"
    assert str(target) in err


def test_a_report_of_an_empty_namespace_says_what_is_missing(person, tmp_path):
    target = tmp_path / "bundle.tar.gz"
    code, told = person.data("report", "-n", person.namespace, "--to", str(target))
    assert code == 0
    assert any(each["name"] == "platform.yaml" for each in told["missing"])
    assert json.loads(_unpacked(target)["report.json"])["missing"]["platform.yaml"].startswith("There is no platform")


def _unpacked(path: Path) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as archive:
        found = {}
        for member in archive.getmembers():
            file = archive.extractfile(member)
            assert file is not None
            found[member.name.partition("/")[2]] = file.read().decode()
        return found
