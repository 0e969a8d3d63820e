"""What people run beside the program fits it: boot scripts, the realm, Connect's and Traefik's manifests, the guide."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ticketly_infra import exports, identity, machines, perimeter
from ticketly_infra.config import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "aws"
BOOT = ROOT / "pulumi" / "ticketly_infra" / "boot"
USER_DATA_LIMIT = 16 * 1024


@pytest.mark.parametrize("script", sorted(one.name for one in BOOT.glob("*.sh")))
def test_a_boot_script_is_shell_that_fits_and_refers_to_secrets_by_name(script):
    text = (BOOT / script).read_text(encoding="utf-8")
    places = set(re.findall(r"@([a-z][a-z-]*)@", text))
    filled = machines.boot_script(script, dict.fromkeys(places, "filled"))
    assert subprocess.run(["bash", "-n"], input=filled, text=True, check=False).returncode == 0
    assert len(filled) + 2048 < USER_DATA_LIMIT
    assert "set -euo pipefail" in text
    assert "get-secret-value" in text


def test_a_place_that_nobody_fills_is_an_error():
    with pytest.raises(KeyError):
        machines.boot_script("server.sh", {})


def test_user_data_of_the_program_is_filled_and_small(programs):
    machines_made = programs["dev"].resources.of("ec2/instance:Instance")
    assert len(machines_made) == 2
    for one in machines_made:
        data = one["inputs"]["userData"]
        assert not re.search(r"@[a-z][a-z-]*@", data)
        assert len(data) < USER_DATA_LIMIT


def test_the_realm_of_a_stack_has_no_test_client_no_user_and_no_secret():
    command = [sys.executable, str(DOCS / "keycloak" / "realm.py"), "--front-end", "https://tickets.example.com"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    realm = json.loads(done.stdout)
    clients = {one["clientId"]: one for one in realm["clients"]}
    assert realm["realm"] == identity.REALM
    assert "users" not in realm
    assert "login-testing" not in clients
    assert not re.search(r"@[a-z-]+(:[^@\"]*)?@", done.stdout)
    assert realm["bruteForceProtected"]
    assert realm["sslRequired"] == "all"
    for client in identity.CLIENTS:
        assert clients[client]["secret"] == f"${{{identity.client_variable(client)}}}"
    assert clients["web-frontend"]["redirectUris"] == ["https://tickets.example.com/*"]


def test_connect_is_where_the_platform_looks_for_it_and_mounts_what_connectors_refer_to():
    deployment, service, policy = yaml.safe_load_all((DOCS / "connect.yaml").read_text(encoding="utf-8"))
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    assert f"http://{name}.{namespace}:{service['spec']['ports'][0]['port']}" == exports.CONNECT_URL
    pod = deployment["spec"]["template"]["spec"]
    (mount,) = pod["containers"][0]["volumeMounts"]
    assert mount["mountPath"] == f"/opt/kafka/external-configuration/{exports.POSTGRES}"
    assert pod["volumes"][0]["secret"]["secretName"] == exports.POSTGRES
    used = {one["valueFrom"]["secretKeyRef"]["name"] for one in pod["containers"][0]["env"] if "valueFrom" in one}
    assert used == {exports.KAFKA}
    assert policy["spec"]["policyTypes"] == ["Ingress"]


def test_traefik_listens_where_the_load_balancer_looks_for_it():
    values = yaml.safe_load((DOCS / "traefik-values.yaml").read_text(encoding="utf-8"))
    assert values["ports"]["web"]["nodePort"] == perimeter.INGRESS_PORT


def test_the_guide_names_every_setting_of_the_program():
    text = (DOCS / "getting-started.md").read_text(encoding="utf-8")
    missing = [
        field.alias
        for name, field in Settings.model_fields.items()
        if name not in {"stack", "region"} and f"`ticketly:{field.alias or name}" not in text
    ]
    assert missing == []
