"""Roll-outs that do not come to an end: the child's own words, a deadline, the old version goes on serving."""

from __future__ import annotations

import pytest

from ticketly_lab.platform_on_cluster import eventually

pytestmark = pytest.mark.kubernetes


def image_of(deployment):
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]


def overriding(service, image):
    return {"images": {"overrides": {service: image}}}


TROUBLES = {
    "never": ("email", "shop/never-ready:2"),
    "crash": ("email", "shop/crashes:2"),
    "fails": ("order", "shop/fails:2"),
    "hangs": ("eventCommand", "shop/never-ready:2"),
}


@pytest.fixture(scope="module")
def troubled(site):
    """Platforms that were ready and then got a bad image, by kind of trouble: they wait for deadlines together."""
    found = {name: site.applied(name) for name in TROUBLES}
    site.passing.clear()
    for platform in found.values():
        platform.until_ready()
    before = {name: platform.child("deployment", "order") for name, platform in found.items()}
    for name, (service, image) in TROUBLES.items():
        found[name].change(**overriding(service, image))
    yield {name: (platform, before[name]) for name, platform in found.items()}
    for platform in found.values():
        platform.delete("--wait=false")


@pytest.mark.parametrize(
    ("trouble", "words"), [("never", "ImagePullBackOff: Back-off pulling image"), ("crash", "CrashLoopBackOff")]
)
def test_pods_that_never_become_ready_are_told_in_their_own_words_until_the_image_is_corrected(
    troubled, trouble, words
):
    platform, _ = troubled[trouble]
    told = platform.until("Progressing", "DeadlineExceeded")
    assert told["status"] == "True"
    assert words in told["message"]
    assert "has timed out progressing" in told["message"]
    assert platform.condition("Degraded")["reason"] == "ServicesDegraded"
    assert platform.condition("Ready")["reason"] == "ServicesNotReady"
    service = platform.service("email")
    assert (service["phase"], service["image"]) == ("Stuck", TROUBLES[trouble][1])
    assert words in service["message"]
    # the old pod is still there and ready
    assert service["readyReplicas"] == 1
    assert {other["phase"] for other in platform.status()["services"] if other["name"] != "email"} == {"Ready"}
    platform.change(**overriding("email", "shop/email:3"))
    platform.until_ready()
    platform.until("Progressing", "Settled")
    assert image_of(platform.child("deployment", "email")) == "shop/email:3"
    assert platform.condition("Degraded")["message"] == ""


def test_a_migration_that_fails_leaves_the_old_version_serving(site, troubled):
    platform, before = troubled["fails"]
    told = platform.until("Degraded", "MigrationFailed")
    assert told["message"].startswith(f"order: migration {platform.name}-order-migrate-")
    assert "BackoffLimitExceeded" in told["message"]
    deployment = platform.child("deployment", "order")
    assert deployment["metadata"]["generation"] == before["metadata"]["generation"]
    assert image_of(deployment) == image_of(before)
    assert deployment["status"]["readyReplicas"] == 1
    assert platform.service("order")["phase"] == "Stuck"
    platform.change(**overriding("order", "shop/order:3"))
    platform.until_ready()
    assert image_of(platform.child("deployment", "order")) == "shop/order:3"
    (job,) = only_migration(site, platform, "order")
    assert image_of(job) == "shop/order:3"


def test_a_migration_that_hangs_is_told_in_its_pod_s_words_and_replaced_by_the_corrected_one(site, troubled):
    platform, _ = troubled["hangs"]
    told = platform.until("Ready", "MigrationPending")
    assert "event-command 1/1" in told["message"]
    eventually(lambda: "ImagePullBackOff" in platform.service("event-command")["message"], "the pod's words")
    assert platform.condition("Progressing")["reason"] == "Migrating"
    platform.change(**overriding("eventCommand", "shop/event-command:3"))
    platform.until_ready()
    (job,) = only_migration(site, platform, "event-command")
    assert image_of(job) == "shop/event-command:3"


def only_migration(site, platform, service):
    """The Jobs of a service once there is one."""
    selector = f"app.kubernetes.io/instance={platform.name},app.kubernetes.io/component={service}"

    def look():
        found = site.cluster.list("jobs", site.namespace, selector)
        return found if len(found) == 1 else []

    return eventually(look, "only the last migration is kept")


def test_a_platform_edited_in_the_middle_of_a_roll_out_ends_at_the_last_edit(site):
    platform = site.applied()
    for number in range(6):
        platform.change(version=f"0.2.{number}")
    platform.until_ready()
    for name in ("order", "event-command", "event-query", "scheduler", "email"):
        assert image_of(platform.child("deployment", name)).endswith(":0.2.5")
        assert platform.service(name)["image"].endswith(":0.2.5")
    assert platform.status()["version"] == "0.2.5"


def test_a_pod_that_becomes_unready_later_makes_the_platform_unready_and_back(site):
    platform = site.ready()
    selector = f"app.kubernetes.io/instance={platform.name},app.kubernetes.io/component=email"
    site.cluster.make_pods_unready(site.namespace, selector)
    told = platform.until("Ready", "ServicesNotReady")
    assert "email 0/1" in told["message"]
    site.cluster.make_pods_ready(site.namespace, selector)
    platform.until_ready()


def test_a_service_scaled_to_nothing_by_hand_is_not_called_ready(site):
    platform = site.ready()
    name, options = f"{platform.name}-email", f"--namespace={site.namespace}"
    site.cluster.kubectl("scale", "deployment", name, options, "--replicas=0")
    told = platform.until("Ready", "ServicesNotReady")
    assert "scaled it to 0, which switches its autoscaler off" in told["message"]
    site.cluster.kubectl("scale", "deployment", name, options, "--replicas=1")
    platform.until_ready()


def test_pods_keep_their_number_when_an_autoscaler_takes_over_from_a_fixed_one(site):
    platform = site.ready(services={"order": {"autoscaling": {"min": 4, "max": 4}}})
    assert platform.child("hpa", "order") == {}
    assert platform.child("deployment", "order")["spec"]["replicas"] == 4
    selector = f"app.kubernetes.io/instance={platform.name},app.kubernetes.io/component=order"
    pods = {pod["metadata"]["uid"] for pod in site.cluster.list("pods", site.namespace, selector)}
    platform.change(services={"order": {"autoscaling": {"min": 1, "max": 9}}})
    eventually(lambda: platform.child("hpa", "order").get("status", {}).get("currentReplicas"), "the autoscaler looks")
    platform.until_ready()
    assert platform.child("deployment", "order")["spec"]["replicas"] == 4
    assert {pod["metadata"]["uid"] for pod in site.cluster.list("pods", site.namespace, selector)} == pods
    # and back: the number is fixed again, the autoscaler goes
    platform.change(services={"order": {"autoscaling": {"min": 2, "max": 2}}})
    eventually(lambda: platform.child("hpa", "order") == {}, "the autoscaler goes")
    eventually(lambda: platform.child("deployment", "order")["spec"]["replicas"] == 2, "the fixed number")
    platform.until_ready()
