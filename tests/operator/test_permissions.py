"""The roles grant what the client's code asks for, and nothing else."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from aiohttp import web

from ticketly_crds import kinds
from ticketly_crds.status import ConditionType, Reason
from ticketly_operator.clients.kubernetes import ApiServer, KubernetesCluster
from ticketly_operator.desired import permissions
from ticketly_operator.desired.installation import Installation, manifests
from ticketly_operator.findings import Notice
from ticketly_operator.leadership import Leadership, Terms
from ticketly_operator.reconcile.watches import Watches

ROOT = Path(__file__).resolve().parents[2]
SCOPES = [Installation(), Installation(watch_namespace="shop")]

CREATED_BY_APPLYING = {("create", kind.resource) for kind in (*kinds.MANAGED, *kinds.OPTIONAL)}
"""An apply of what is missing is a patch that the API server also checks as a create."""


def rules(installation):
    return [
        rule for each in manifests(installation) if each["kind"] in {"Role", "ClusterRole"} for rule in each["rules"]
    ]


@pytest.mark.parametrize("installation", SCOPES, ids=["cluster", "namespace"])
def test_no_rule_has_a_wildcard_or_reaches_what_would_give_more_rights(installation):
    for rule in rules(installation):
        assert set(rule) <= {"apiGroups", "resources", "resourceNames", "verbs"}
        assert "*" not in json.dumps(rule)
        assert rule["apiGroups"]
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"]
        assert not {"escalate", "bind", "impersonate", "deletecollection"} & set(rule["verbs"])
        forbidden = {"nodes", "namespaces", "pods/exec", "pods/attach", "serviceaccounts/token", "replicasets"}
        assert not forbidden & set(rule["resources"])
        if "secrets" in rule["resources"]:
            assert rule["verbs"] == ["get"]
        if "pods" in rule["resources"]:
            assert rule["verbs"] == ["list"]


def test_a_cluster_role_is_made_only_for_a_cluster_wide_operator():
    kinds_of = {each["kind"] for each in manifests(Installation(watch_namespace="shop"))}
    assert not {"ClusterRole", "ClusterRoleBinding"} & kinds_of
    where = {
        (each["kind"], each["metadata"]["namespace"])
        for each in manifests(Installation(watch_namespace="shop"))
        if each["kind"] in {"Role", "RoleBinding"}
    }
    assert where == {(kind, name) for kind in ("Role", "RoleBinding") for name in ("shop", "ticketly-system")}


@pytest.mark.parametrize("installation", SCOPES, ids=["cluster", "namespace"])
def test_leases_are_granted_by_name_and_in_the_operator_s_own_namespace_only(installation):
    for each in manifests(installation):
        for rule in each.get("rules", ()):
            if "leases" in rule["resources"]:
                assert (each["kind"], each["metadata"]["namespace"]) == ("Role", "ticketly-system")
                # a create names no object when it is authorized, so it cannot be limited by name
                assert rule["verbs"] == ["create"] or rule["resourceNames"] == ["ticketly-operator"]


@pytest.mark.parametrize("installation", SCOPES, ids=["cluster", "namespace"])
def test_the_rules_say_exactly_what_the_table_says(installation):
    said = {
        (verb, _named(resource, rule["apiGroups"][0]))
        for rule in rules(installation)
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert said == permissions.granted()


def _named(resource, group):
    plural, _, subresource = resource.partition("/")
    return (f"{plural}.{group}" if group else plural) + (f"/{subresource}" if subresource else "")


def test_a_call_that_the_table_does_not_grant_is_refused_before_it_is_made():
    permissions.check("get", "secrets ticketly-postgres")
    permissions.check(permissions.DISCOVER, "traefik.io")
    for verb, resource in [
        ("list", "secrets"),
        ("get", "pods order-1"),
        ("update", "deployments.apps"),
        ("get", "nodes"),
    ]:
        with pytest.raises(permissions.UndeclaredCallError, match=f"{verb} {resource}"):
            permissions.check(verb, resource)


class Recorder:
    """Answers like an API server that has one of everything, and writes down what HTTP itself says was asked."""

    def __init__(self) -> None:
        self.asked: set[tuple[str, str]] = set()
        self.lease = True
        self.refused: set[tuple[str, str]] = set()

    async def answer(self, request: web.Request) -> web.Response:
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
        if not rest:
            resources = [{"kind": kind.kind, "name": kind.plural} for kind in kinds.OPTIONAL if kind.group == group]
            return web.json_response({"resources": resources})
        if rest[0] == "namespaces":
            rest = rest[2:]
        plural, name, subresource = [*rest, "", ""][:3]
        one = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
        verb = one[request.method] if name else {"GET": "list", "POST": "create"}[request.method]
        verb = "watch" if "watch" in request.query else verb
        asked = (verb, _named(f"{plural}/{subresource}" if subresource else plural, group))
        self.asked.add(asked)
        if asked in self.refused:
            return web.json_response({"message": f'cannot {verb} resource "{plural}"'}, status=403)
        if verb == "list":
            return web.json_response({"items": [], "metadata": {}})
        if plural == "leases" and verb == "get" and not self.lease:
            return web.json_response({"message": "not found"}, status=404)
        metadata = {"name": name, "namespace": "shop", "uid": "u-1", "resourceVersion": "1"}
        return web.json_response({"metadata": metadata, "spec": {}, "data": {}})


@pytest.fixture
async def recorder(tmp_path, monkeypatch) -> AsyncIterator[Recorder]:
    recorder = Recorder()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", recorder.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    access = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "it", "cluster": {"server": url}}],
        "users": [{"name": "it", "user": {"token": "it"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(access))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    yield recorder
    await runner.cleanup()


def client(server):
    def count(_kind: str, _verb: str) -> None:
        return None

    return KubernetesCluster(
        server, scope="", may_write=lambda: True, wrote=count, monotonic=lambda: 1e6, reporter="it"
    )


async def test_a_watch_that_is_forbidden_is_a_finding_until_it_is_allowed(recorder):
    async with ApiServer() as server:
        watches = Watches(client(server))
        recorder.refused = {("watch", "jobs.batch"), ("watch", kinds.PLATFORM.resource)}
        trying = asyncio.create_task(watches.keep_trying(well_seconds=0.01, ill_seconds=0.01))

        async def findings(wanted):
            async with asyncio.timeout(20):
                while len(found := (await watches(None)).findings) != wanted:
                    await asyncio.sleep(0.01)
            return found

        try:
            told = await findings(2)
            assert all((each.condition, each.reason) == (ConditionType.DEGRADED, Reason.APPLY_REFUSED) for each in told)
            assert any('may not watch jobs.batch: cannot watch resource "jobs"' in each.message for each in told)
            recorder.refused = set()
            assert await findings(0) == ()
        finally:
            trying.cancel()


class Followed:
    """A client that remembers which of its methods were used."""

    def __init__(self, client):
        self.client = client
        self.used = set()

    def __getattr__(self, name):
        self.used.add(name)
        return getattr(self.client, name)


PUBLIC = {
    name
    for name, member in vars(KubernetesCluster).items()
    if inspect.iscoroutinefunction(member) and not name.startswith("_")
}


async def test_every_call_of_the_client_is_granted_under_the_name_that_http_gives_it_and_nothing_more_is(recorder):
    """The client says itself which verb and resource a call is; a wrong word there would check the wrong grant."""

    async with ApiServer() as server:
        cluster = Followed(client(server))
        await cluster.platforms()
        platform = await cluster.platform("shop", "it")
        await cluster.children("shop", "it")
        await cluster.optional_kinds()
        await cluster.pods("shop", "it")
        await cluster.secret("shop", "it")
        assert await cluster.forbidden_watches() == []
        for kind in (*kinds.MANAGED, *kinds.OPTIONAL):
            metadata = {"name": "it", "namespace": "shop", "uid": "u-1"}
            manifest = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
            await cluster.object(manifest)
            await cluster.apply(manifest)
            await cluster.hand_over(manifest)
            await cluster.delete(manifest)
        await cluster.write_status("shop", "it", {})
        await cluster.set_finalizer("shop", "it", present=True)
        await cluster.tell(platform, Notice("Tried", "it was tried", "Normal"))
        for present in (False, True):
            recorder.lease = present
            leader = Leadership(
                server,
                namespace="system",
                name="it",
                identity="me",
                terms=Terms(15, 10),
                monotonic=asyncio.get_running_loop().time,
            )
            assert await leader.attempt()
            await leader.release()

    # a method that is new is tried here too
    assert cluster.used == PUBLIC
    assert recorder.asked <= permissions.granted()
    assert permissions.granted() - recorder.asked == CREATED_BY_APPLYING


def test_every_permission_says_what_it_is_for():
    for permission in (*permissions.ON_PLATFORMS, *permissions.ON_ITSELF):
        assert permission.why
        assert len(set(permission.verbs)) == len(permission.verbs)
