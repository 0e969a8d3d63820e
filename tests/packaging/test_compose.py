"""The platform in containers is the blueprint's platform; secrets have no defaults, and nothing leaves this machine."""

from __future__ import annotations

import itertools
import json
import re
import stat
import subprocess
from pathlib import Path

import asyncpg
import pytest
import yaml

from ticketly_cli.local import paths, toolchain
from ticketly_crds import names
from ticketly_crds.blueprint import KINDS, SecretRef
from ticketly_lab.packaging import compose_site
from ticketly_lab.packaging.dockerfile import parse

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "compose"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
BLUEPRINT = compose_site.platform_blueprint()
OURS = [kind.name for kind in KINDS]
MIGRATIONS = [f"{each.name}-migrate" for each in BLUEPRINT.services if each.migrates]
ONCE = {"topics", *MIGRATIONS, *(each.name for each in BLUEPRINT.connectors)}
PINNED = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
VARIABLE = re.compile(r"(?<!\$)\$\{([^}]*)\}")
KEYS = frozenset(
    {
        *(
            "build",
            "cap_drop",
            "command",
            "depends_on",
            "entrypoint",
            "environment",
            "healthcheck",
            "image",
            "networks",
        ),
        *("ports", "read_only", "restart", "security_opt", "stop_grace_period", "tmpfs", "volumes"),
    }
)
EXAMPLE = re.findall(r"^(\w+)=(.*)$", (FOLDER / "example.env").read_text(encoding="utf-8"), re.MULTILINE)


def strings(node):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from (key, *strings(value))
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)
    elif isinstance(node, str):
        yield node


def variables(node):
    """Variables that Compose puts in, as they are written: `NAME:?message`."""
    return {found for text in strings(node) for found in VARIABLE.findall(text)}


def test_it_has_the_services_of_the_blueprint_and_the_keys_that_compose_knows():
    assert set(COMPOSE) == {"name", "services", "volumes"}
    assert set(OURS) <= set(SERVICES)
    for name, service in SERVICES.items():
        assert set(service) <= KEYS, name
        assert all(isinstance(value, str) for value in service.get("environment", {}).values()), name


@pytest.mark.parametrize("service", BLUEPRINT.services, ids=lambda each: each.name)
def test_a_service_gets_exactly_the_blueprint_s_environment(service):
    """The one difference: where a cluster reads a Secret, a variable without a default stands."""
    wanted = {var.name: var.value for var in service.env}
    for name in [service.name, *([f"{service.name}-migrate"] if service.migrates else [])]:
        given = SERVICES[name]["environment"]
        assert given.keys() == wanted.keys()
        for variable, value in wanted.items():
            if isinstance(value, SecretRef):
                (put_in,) = VARIABLE.findall(given[variable])
                assert ":?" in put_in
                assert put_in.startswith("TICKETLY_SECRET_")
            else:
                assert given[variable] == value


def test_two_services_share_a_secret_only_where_they_share_it_in_a_cluster():
    by_variable = {}
    for service in BLUEPRINT.services:
        for var in service.env:
            if isinstance(var.value, SecretRef):
                by_variable.setdefault(compose_site.reference(var.value), set()).add(var.value)
    assert all(len(refs) == 1 for refs in by_variable.values())


def test_no_secret_has_a_default_and_the_example_names_each_and_values_none():
    put_in = variables(SERVICES)
    assert all(
        re.fullmatch(r"TICKETLY_(SECRET_[A-Z0-9_]+|DEBEZIUM_DIGEST):\?see compose/example\.env", each)
        for each in put_in
    )
    assert [value for _, value in EXAMPLE] == [""] * len(EXAMPLE)
    assert {name for name, _ in EXAMPLE} == {each.partition(":?")[0] for each in put_in}
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|AUTH$|_URI$|REDIS_URL$", variable):
                assert VARIABLE.search(value), f"{name}: {variable}"


def test_images_of_others_are_pinned_by_digest_and_ours_are_built_here():
    targets = {stage.name for stage in parse((ROOT / "Dockerfile").read_text(encoding="utf-8")).stages}
    for name, service in SERVICES.items():
        if "build" in service:
            assert service["build"]["target"] in targets
            assert service["image"].startswith("ticketly/")
        elif "TICKETLY_DEBEZIUM_DIGEST:?" in service["image"]:
            assert service["image"].startswith("quay.io/debezium/connect:3.7.0.Final@${")
        else:
            assert PINNED.fullmatch(service["image"]), name


def test_what_is_published_is_published_on_loopback_and_stores_are_not():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    for name, ports in published.items():
        for port in ports:
            assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port), name
    assert not {"postgres", "mongo", "kafka", "valkey", "connect"} & published.keys()
    internal = {str(service.internal_port) for service in BLUEPRINT.services}
    assert not internal & {port.rpartition(":")[2] for ports in published.values() for port in ports}


def test_our_containers_have_as_few_rights_as_our_pods():
    for name in [*OURS, *MIGRATIONS]:
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert len(service["tmpfs"]) == 1


def test_everything_that_goes_on_running_has_a_health_check_and_what_runs_once_has_none():
    for name, service in SERVICES.items():
        assert ("healthcheck" in service) != (name in ONCE), name
        assert service["restart"] == ("no" if name in ONCE else "unless-stopped"), name
        if name not in ONCE:
            assert service["healthcheck"]["test"][0] == "CMD", "without a shell of the image"


def test_everything_starts_after_what_it_needs_and_nothing_waits_in_a_circle():
    waits = {name: service.get("depends_on", {}) for name, service in SERVICES.items()}
    for name, needed in waits.items():
        for other, how in needed.items():
            wanted = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert how == {"condition": wanted}, f"{name} needs {other}"
    begun = set()
    while len(begun) < len(waits):
        ready = {name for name, needed in waits.items() if name not in begun and needed.keys() <= begun}
        assert ready, f"a circle among {waits.keys() - begun}"
        begun |= ready
    for service in BLUEPRINT.services:
        needed = waits[service.name]
        assert "keycloak" in needed
        assert ("topics" in needed) == ("kafka" in service.stores)
        assert (f"{service.name}-migrate" in needed) == service.migrates
    for connector in BLUEPRINT.connectors:
        assert {"connect", "topics", *MIGRATIONS} <= waits[connector.name].keys()


def test_mounted_files_are_there_and_named_volumes_are_declared():
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source, target, *mode = volume.split(":")
            if source.startswith("."):
                assert (ROOT / source).is_file()
                assert mode == ["ro"]
                assert (ROOT / source).stat().st_mode & stat.S_IROTH
            else:
                assert source in COMPOSE["volumes"]
            assert target.startswith("/")


def test_uploads_belong_to_the_user_that_writes_them():
    stage = parse((ROOT / "Dockerfile").read_text(encoding="utf-8")).stage("event-command")
    (volume,) = SERVICES["event-command"]["volumes"]
    folder = volume.partition(":")[2]
    assert folder == SERVICES["event-command"]["environment"]["TICKETLY_UPLOADS_DIRECTORY"]
    (copied,) = [each for each in stage.all("COPY") if each.text.endswith(f" {folder}")]
    assert copied.flag("chown") == "65532:65532"


def test_every_topic_is_made_with_its_settings():
    lines = (FOLDER / "topics.sh").read_text(encoding="utf-8").splitlines()[3:]
    made = {}
    for line in lines:
        words = line.split()
        pairs = list(itertools.pairwise(words))
        options = dict(pairs)
        config = dict(word.split("=", 1) for before, word in pairs if before == "--config")
        made[options["--topic"]] = (options["--partitions"], options["--replication-factor"], config)
    assert made == {
        each.name: (str(each.partitions), str(each.replication_factor), dict(each.config)) for each in BLUEPRINT.topics
    }


def test_topics_are_made_by_a_script_that_a_plain_shell_understands():
    subprocess.run(["/bin/sh", "-n", FOLDER / "topics.sh"], check=True)


@pytest.mark.parametrize("connector", BLUEPRINT.connectors, ids=lambda each: each.name)
def test_a_connector_s_password_is_a_name_that_connect_looks_up(connector):
    written = json.loads((FOLDER / f"{connector.name}.json").read_text(encoding="utf-8"))
    assert written.keys() == connector.config.keys()
    looked_up = re.fullmatch(r"\$\{env:(\w+)\}", written["database.password"])
    assert looked_up[1] in SERVICES["connect"]["environment"]
    assert SERVICES["connect"]["environment"]["CONNECT_CONFIG_PROVIDERS"] == "env"
    plain = {name: value for name, value in connector.config.items() if isinstance(value, str)}
    assert {name: written[name] for name in plain} == plain
    assert SERVICES[connector.name]["entrypoint"][-1] == f"http://connect:8083/connectors/{connector.name}/config"


def test_the_realm_is_filled_from_keycloak_s_environment():
    text = (FOLDER / "realm.json").read_text(encoding="utf-8")
    assert not re.search(r"@[a-z-]+(:[^@\"]+)?@\"", text), "a placeholder that nobody fills"
    wanted = set(re.findall(r"\$\{(TICKETLY_\w+)\}", text))
    given = SERVICES["keycloak"]["environment"]
    assert wanted == {name for name in given if name.startswith("TICKETLY_")}
    issuer = SERVICES["order"]["environment"]["TICKETLY_IDENTITY_ISSUER"]
    host, port, realm_name = re.fullmatch(r"http://([\w.]+):(\d+)/realms/([\w-]+)", issuer).groups()
    assert json.loads(text)["realm"] == realm_name
    assert SERVICES["keycloak"]["networks"]["default"]["aliases"] == [host]
    assert f"--hostname=http://{host}:{port}" in SERVICES["keycloak"]["command"]
    assert SERVICES["keycloak"]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_a_service_and_the_realm_mean_the_same_client_secret():
    text = (FOLDER / "realm.json").read_text(encoding="utf-8")
    clients = {each["clientId"]: each.get("secret", "") for each in json.loads(text)["clients"]}
    for name in OURS:
        environment = SERVICES[name]["environment"]
        (variable,) = VARIABLE.findall(environment["TICKETLY_IDENTITY_CLIENT_SECRET"])
        assert clients[environment["TICKETLY_IDENTITY_CLIENT_ID"]] == f"${{{variable.partition(':?')[0]}}}"


async def test_the_roles_and_databases_are_what_the_services_expect(own_postgres_server):
    """The statements that psql would run, on a real server; psql's own part is played here."""
    words, passwords, made = "", {}, []
    for line in (FOLDER / "postgres.sql").read_text(encoding="utf-8").splitlines():
        if line.startswith("\\getenv password "):
            words = line.split()[-1]
        elif not line.startswith("--"):
            made.append(line.replace(":'password'", f"'{words.lower()}'"))
            if "create role" in line:
                passwords[line.split()[2]] = words.lower()
    port = own_postgres_server.server.port

    async def run(login, *statements):
        connection = await asyncpg.connect(host="127.0.0.1", port=port, **login)
        try:
            for statement in statements:
                found = await connection.fetchval(statement)
        finally:
            await connection.close()
        return found

    admin = {"user": own_postgres_server.server.superuser, "password": own_postgres_server.server.password}
    await run({**admin, "database": "postgres"}, *made)
    for service in BLUEPRINT.services:
        if service.migrates:
            given = SERVICES[service.name]["environment"]
            user, database = given["TICKETLY_POSTGRES_USER"], given["TICKETLY_POSTGRES_DATABASE"]
            await run({"user": user, "password": passwords[user], "database": database}, "create table mine (id int)")
            reader = {"user": names.CDC_ROLE, "password": passwords[names.CDC_ROLE], "database": database}
            assert await run(reader, "select count(*) from mine") == 0
            (variable,) = VARIABLE.findall(given["TICKETLY_POSTGRES_PASSWORD"])
            assert passwords[user] == variable.partition(":?")[0].lower()
            assert variable.partition(":?")[0] in SERVICES["postgres"]["environment"]


def test_the_front_door_is_a_configuration_that_caddy_takes_and_serves_the_public_prefixes(tmp_path):
    program = toolchain.prepare(["caddy"], paths.cache_folder(), print).caddy
    done = subprocess.run(
        [program, "adapt", "--config", FOLDER / "Caddyfile", "--adapter", "caddyfile"],
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    adapted = done.stdout
    for route in BLUEPRINT.routes:
        assert f'"{route.service}:{route.port}"' in adapted
        assert f'"{route.prefix}/*"' in adapted
    (server,) = json.loads(adapted)["apps"]["http"]["servers"].values()
    assert server["listen"] == [f":{compose_site.FRONT_DOOR_PORT}"]


def test_the_command_of_the_guide_fills_the_example(tmp_path):
    guide = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    command = re.search(r"```\n(while IFS= read.*?)\n```", guide, re.DOTALL)[1]
    done = subprocess.run(["/bin/sh", "-c", command.replace("my.env", str(tmp_path / "my.env"))], cwd=ROOT, check=False)
    assert done.returncode == 0
    filled = re.findall(r"^(\w+)=(.*)$", (tmp_path / "my.env").read_text(encoding="utf-8"), re.MULTILINE)
    secrets = [value for name, value in filled if name.startswith("TICKETLY_SECRET_")]
    assert [name for name, _ in filled] == [name for name, _ in EXAMPLE]
    assert len(set(secrets)) == len(secrets)
    assert all(re.fullmatch("[0-9a-f]{48}", secret) for secret in secrets)
    assert stat.S_IMODE((tmp_path / "my.env").stat().st_mode) == 0o600
