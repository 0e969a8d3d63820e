"""The operator with nothing but its own roles, on a real API server: they suffice, and nothing in them is too much."""

from __future__ import annotations

import json
import time
from importlib import resources

import pytest
import yaml

from ticketly_crds import kinds, names
from ticketly_crds.blueprint import blueprint
from ticketly_crds.blueprint import cluster as cluster_placement
from ticketly_crds.spec import parse
from ticketly_lab.operator_process import OperatorProcess
from ticketly_operator.desired import permissions
from ticketly_operator.desired.installation import NAME, Installation, manifests

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(600)]

TIMEOUT_SECONDS = 120.0
ACCESS = {"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
SETTINGS = {
    "reconcile_interval_seconds": 1,
    "reconcile_debounce_seconds": 0.1,
    "reconcile_error_backoff_max_seconds": 1,
    "deletion_timeout_seconds": 2,
    "connectors_request_timeout_seconds": 1,
    "slots_connect_timeout_seconds": 1,
    "kafka_request_timeout_seconds": 1,
}


def eventually(look, wanted, what):
    """Return the first answer of `look` that `wanted` agrees with."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while True:
        found = look()
        if wanted(found):
            return found
        assert time.monotonic() < end, f"{what}: {json.dumps(found, indent=1, default=str)[:4000]}"
        time.sleep(0.2)


def sample(namespace):
    text = resources.files("ticketly_crds").joinpath("samples", "cluster.yaml").read_text(encoding="utf-8")
    platform = yaml.safe_load(text)
    platform["metadata"]["namespace"] = namespace
    # nobody listens there: what is outside of the cluster is of no interest here
    platform["spec"]["postgres"].update(host="127.0.0.1", port=1)
    platform["spec"]["kafka"]["bootstrapServers"] = "127.0.0.1:1"
    platform["spec"]["connect"]["url"] = "http://127.0.0.1:1"
    platform["spec"]["deletionPolicy"] = "Delete"
    return platform


def secrets_of(platform):
    parsed = parse(platform)
    needed = {}
    for ref in blueprint(parsed, cluster_placement(parsed)).secrets():
        needed.setdefault(ref.name, {})[ref.key] = "a-value"
    metadata = {"namespace": platform["metadata"]["namespace"]}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {**metadata, "name": name}, "stringData": content}
        for name, content in needed.items()
    ]


def access(installation):
    return [each for each in manifests(installation) if each["kind"] in ACCESS]


def conditions(cluster, platform):
    metadata = platform["metadata"]
    found = cluster.get(kinds.PLATFORM.resource, metadata["name"], metadata["namespace"]) or {}
    return {each["type"]: each for each in found.get("status", {}).get("conditions", ())}


@pytest.fixture
def optional_kinds(cluster):
    """The kinds that an operator uses where they are served are served, for this test."""
    definitions = [
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": kind.resource},
            "spec": {
                "group": kind.group,
                "scope": "Namespaced",
                "names": {"kind": kind.kind, "plural": kind.plural, "singular": kind.kind.lower()},
                "versions": [
                    {
                        "name": kind.version,
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    }
                ],
            },
        }
        for kind in kinds.OPTIONAL
    ]
    cluster.apply(*definitions)
    files = [f"customresourcedefinition/{kind.resource}" for kind in kinds.OPTIONAL]
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", *files)
    yield
    cluster.kubectl("delete", "--wait=true", *files)


LEFTOVERS = {
    "Deployment": {
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"left": "over"}},
            "template": {
                "metadata": {"labels": {"left": "over"}},
                "spec": {"containers": [{"name": "it", "image": "example.com/it"}]},
            },
        }
    },
    "Service": {"spec": {"ports": [{"port": 80}]}},
    "HorizontalPodAutoscaler": {
        "spec": {
            "maxReplicas": 1,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "left-over"},
        }
    },
    "PodDisruptionBudget": {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"left": "over"}}}},
    "NetworkPolicy": {"spec": {"podSelector": {"matchLabels": {"left": "over"}}}},
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": "left-over", "port": {"number": 80}}}}},
}
"""What an earlier version of the operator may have made and this one does not want; Jobs it never calls unwanted."""


def leave_over(cluster, platform):
    live = cluster.get(kinds.PLATFORM.resource, platform["metadata"]["name"], platform["metadata"]["namespace"])
    owner = {"apiVersion": kinds.PLATFORM.api_version, "kind": kinds.PLATFORM.kind}
    owner |= {"name": live["metadata"]["name"], "uid": live["metadata"]["uid"]}
    metadata = {
        "name": "left-over",
        "namespace": live["metadata"]["namespace"],
        "labels": {**names.labels(live["metadata"]["name"]), "left": "over"},
        "ownerReferences": [owner],
    }
    wanted = [kind for kind in (*kinds.MANAGED, *kinds.OPTIONAL) if kind is not kinds.JOB]
    made = [
        {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **LEFTOVERS.get(kind.kind, {})}
        for kind in wanted
    ]
    cluster.apply(*made)
    return wanted


UNUSED = {(verb, "prometheusrules.monitoring.coreos.com") for verb in ("get", "create", "patch")}
"""Granted and not used in this life."""


@pytest.mark.parametrize("scope", ["cluster", "namespace"])
def test_a_whole_life_uses_every_permission_and_meets_no_refusal(control_plane, namespace, optional_kinds, scope):
    """Create, drift, a new version, leftovers of an older operator, deletion."""
    installation = Installation(namespace=namespace, watch_namespace=namespace if scope == "namespace" else "")
    platform = sample(namespace)
    began = control_plane.audit_position()
    control_plane.apply(*access(installation), *secrets_of(platform))
    kubeconfig = control_plane.kubeconfig_for(NAME, namespace)
    settings = {**SETTINGS, "scope_namespace": installation.watch_namespace}
    operator = OperatorProcess(control_plane, namespace, settings=settings, kubeconfig=kubeconfig)
    with operator:
        control_plane.apply(platform)
        deployments = eventually(
            lambda: control_plane.list("deployments", namespace), lambda found: len(found) == 5, "five deployments"
        )
        name = deployments[0]["metadata"]["name"]

        control_plane.kubectl("scale", f"--namespace={namespace}", "deployment/ticketly-email", "--replicas=7")
        control_plane.kubectl("set", "image", f"--namespace={namespace}", f"deployment/{name}", "*=example.com/other")
        eventually(
            lambda: control_plane.get("deployment", name, namespace),
            lambda found: "other" not in found["spec"]["template"]["spec"]["containers"][0]["image"],
            "the image is put back",
        )

        left = ",".join(kind.resource for kind in leave_over(control_plane, platform))
        options = [f"--namespace={namespace}", "--ignore-not-found", "--output=name"]
        eventually(
            lambda: control_plane.kubectl("get", left, "--selector=left=over", *options).split(),
            lambda found: found == [],
            "leftovers are removed",
        )

        before = {job["metadata"]["name"] for job in control_plane.list("jobs", namespace)}
        platform["spec"]["version"] = "0.2.0"
        control_plane.apply(platform)
        eventually(
            lambda: {job["metadata"]["name"] for job in control_plane.list("jobs", namespace)},
            lambda found: len(found) == len(before) and not found & before,
            "old migrations are replaced",
        )

        control_plane.kubectl("delete", f"--namespace={namespace}", "tkp/ticketly", "--timeout=60s")
        assert operator.stop() == 0

    user = f"system:serviceaccount:{namespace}:{NAME}"
    asked = [each for each in control_plane.requests(began) if each.user == user]
    # nobody may make anything in the namespaces of earlier tests while they are being deleted
    assert [each for each in asked if each.code == 403 and each.namespace in ("", namespace)] == []
    used = {(each.verb, named(each)) for each in asked}
    used |= {("create", named(each)) for each in asked if each.verb == "patch" and each.code == 201}
    assert used <= permissions.granted()
    assert permissions.granted() - used <= UNUSED
    where = {each.namespace for each in asked if each.resource == "leases"}
    assert where == {namespace}
    if scope == "namespace":
        assert {each.namespace for each in asked} == {namespace}


def named(request):
    plural, _, subresource = request.resource.partition("/")
    return (f"{plural}.{request.group}" if request.group else plural) + (f"/{subresource}" if subresource else "")


FORBIDDEN = [
    ("list", "", "secrets"),
    ("watch", "", "secrets"),
    ("create", "", "secrets"),
    ("delete", "", "secrets"),
    ("create", "", "pods"),
    ("get", "", "pods"),
    ("delete", "", "pods"),
    ("create", "", "pods/exec"),
    ("get", "", "pods/log"),
    ("create", "", "serviceaccounts/token"),
    ("impersonate", "", "serviceaccounts"),
    ("get", "", "nodes"),
    ("create", "", "namespaces"),
    ("get", "", "persistentvolumeclaims"),
    ("list", "", "events"),
    ("patch", "", "services/status"),
    ("update", "apps", "deployments"),
    ("deletecollection", "apps", "deployments"),
    ("create", "apps", "daemonsets"),
    ("create", "ticketly.io", "ticketlyplatforms"),
    ("delete", "ticketly.io", "ticketlyplatforms"),
    ("update", "ticketly.io", "ticketlyplatforms/finalizers"),
    ("create", "rbac.authorization.k8s.io", "roles"),
    ("escalate", "rbac.authorization.k8s.io", "roles"),
    ("bind", "rbac.authorization.k8s.io", "clusterroles"),
    ("create", "rbac.authorization.k8s.io", "rolebindings"),
    ("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("patch", "apiextensions.k8s.io", "customresourcedefinitions"),
    ("create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("delete", "coordination.k8s.io", "leases"),
    ("list", "coordination.k8s.io", "leases"),
]


def allowed(cluster, user, questions, namespace):
    """Which (verb, group, resource) or (verb, group, resource, name) the API server would let the user do there."""
    reviews = []
    for verb, group, resource, *name in questions:
        plural, _, subresource = resource.partition("/")
        attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": plural}
        attributes |= {"subresource": subresource} if subresource else {}
        attributes |= {"name": name[0]} if name else {}
        spec = {"user": user, "groups": ["system:serviceaccounts", "system:authenticated"]}
        reviews.append(
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {**spec, "resourceAttributes": attributes},
            }
        )
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews})
    shown = '--output=jsonpath={.status.allowed}{"\\n"}'
    answers = cluster.kubectl("create", "--filename=-", shown, input=text).split()
    assert len(answers) == len(questions)
    return [question for question, answer in zip(questions, answers, strict=True) if answer == "true"]


@pytest.mark.parametrize("scope", ["cluster", "namespace"])
def test_everything_that_is_not_granted_is_denied(cluster, namespace, scope):
    installation = Installation(namespace=namespace, watch_namespace=namespace if scope == "namespace" else "")
    cluster.apply(*access(installation))
    user = f"system:serviceaccount:{namespace}:{NAME}"
    assert allowed(cluster, user, FORBIDDEN, namespace) == []
    # nor a Lease of another name, nor any Lease elsewhere
    lease = "coordination.k8s.io", "leases"
    assert allowed(cluster, user, [("get", *lease, NAME), ("update", *lease, "other")], namespace) == [
        ("get", *lease, NAME)
    ]
    assert allowed(cluster, user, [("create", *lease), ("get", *lease, NAME)], "default") == []
    on_platforms = [
        (verb, each.kind.group, each.kind.plural + (f"/{each.subresource}" if each.subresource else ""))
        for each in permissions.ON_PLATFORMS
        for verb in each.verbs
    ]
    assert allowed(cluster, user, on_platforms, namespace) == on_platforms
    assert allowed(cluster, user, on_platforms, "default") == (on_platforms if scope == "cluster" else [])


@pytest.mark.parametrize("scope", ["cluster", "namespace"])
def test_the_api_server_lists_no_rule_for_it_that_the_table_does_not_have(cluster, namespace, scope):
    installation = Installation(namespace=namespace, watch_namespace=namespace if scope == "namespace" else "")
    cluster.apply(*access(installation))
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    kubeconfig = cluster.kubeconfig_for(NAME, namespace)
    text = cluster.kubectl(
        "create", "--filename=-", "--output=json", "--validate=false", input=json.dumps(review), kubeconfig=kubeconfig
    )
    found = {
        (verb, (f"{plural}.{group}" if group else plural) + (f"/{sub}" if sub else ""))
        for rule in json.loads(text)["status"]["resourceRules"]
        for group in rule["apiGroups"]
        for plural, _, sub in (resource.partition("/") for resource in rule["resources"])
        for verb in rule["verbs"]
    }
    # everybody who is known may ask who they are and what they may do
    own = {
        ("create", f"self{what}.{group}.k8s.io")
        for what, group in [
            ("subjectaccessreviews", "authorization"),
            ("subjectrulesreviews", "authorization"),
            ("subjectreviews", "authentication"),
        ]
    }
    assert found - own == permissions.granted()


def without(objects, verb, plural):
    """The roles, with one verb on one resource missing."""
    made = json.loads(json.dumps(objects))
    for each in made:
        for rule in list(each.get("rules", ())):
            if plural in rule["resources"] and verb in rule["verbs"]:
                rule["resources"].remove(plural)
                rest = [kept for kept in rule["verbs"] if kept != verb]
                each["rules"].append({**rule, "resources": [plural], "verbs": rest})
        if "rules" in each:
            each["rules"] = [rule for rule in each["rules"] if rule["resources"] and rule["verbs"]]
    return made


def replace_roles(cluster, objects):
    """Roles are put, not merged: two managers of one list of rules would only add to it."""
    roles = [each for each in objects if each["kind"] in {"Role", "ClusterRole"}]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": roles})
    cluster.kubectl("replace", "--filename=-", input=text)


@pytest.mark.parametrize(
    ("verb", "plural"),
    [
        ("create", "services"),
        ("patch", "deployments"),
        ("list", "configmaps"),
        ("watch", "jobs"),
        ("get", "secrets"),
        ("list", "pods"),
    ],
)
def test_a_missing_verb_is_told_by_name_and_the_operator_goes_on_and_recovers(cluster, namespace, verb, plural):
    installation = Installation(namespace=namespace, watch_namespace=namespace)
    platform = sample(namespace)
    platform["spec"]["deletionPolicy"] = "Retain"
    roles = access(installation)
    cluster.apply(*roles, *secrets_of(platform))
    replace_roles(cluster, without(roles, verb, plural))
    kubeconfig = cluster.kubeconfig_for(NAME, namespace)
    settings = {**SETTINGS, "scope_namespace": namespace}
    with OperatorProcess(cluster, namespace, settings=settings, kubeconfig=kubeconfig) as operator:
        pid = operator.pid
        cluster.apply(platform)

        def told(found):
            degraded = found.get("Degraded", {})
            message = degraded.get("message", "")
            return degraded.get("status") == "True" and f'cannot {verb} resource "{plural}"' in message

        eventually(lambda: conditions(cluster, platform), told, "the condition names the verb")
        assert operator.exit_code() is None
        assert operator.probe() == ""

        replace_roles(cluster, roles)
        eventually(
            lambda: conditions(cluster, platform),
            lambda found: "may not" not in json.dumps(found),
            "nothing is missing any more",
        )
        eventually(lambda: cluster.list("deployments", namespace), lambda found: len(found) == 5, "five deployments")
        assert operator.exit_code() is None
        assert operator.pid == pid
