"""A service's Deployment. Who counts its pods: the autoscaler, unless its bounds leave nothing to decide."""

from __future__ import annotations

from typing import Any, Final

from ticketly_crds import names
from ticketly_crds.blueprint import Service
from ticketly_crds.spec import TicketlyPlatform
from ticketly_operator.desired import metadata, pods
from ticketly_operator.desired.model import Manifest, Surroundings

DRAIN_SECONDS: Final = 5
"""A pod that ends waits this long before it is told, so that no proxy sends it another request."""


def deployment(platform: TicketlyPlatform, service: Service, around: Surroundings, migration: str = "") -> Manifest:
    """Return the Deployment; ``migration`` is the digest of the migration its pods rely on."""
    selector = names.selector(platform.name, service.name)
    spec: dict[str, Any] = {
        "selector": {"matchLabels": selector},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "progressDeadlineSeconds": around.rollout_deadline_seconds,
        "revisionHistoryLimit": 3,
        "template": {
            "metadata": {
                "labels": names.labels(platform.name, service.name, platform.spec.version),
                "annotations": _pod_annotations(service, around),
            },
            "spec": _pod(platform, service, around, selector),
        },
    }
    if service.scaling.min == service.scaling.max:
        spec["replicas"] = service.scaling.min
    return metadata.manifest(
        platform,
        "apps/v1",
        "Deployment",
        names.workload(platform.name, service.name),
        {"spec": spec},
        service=service,
        annotations={names.MIGRATION_ANNOTATION: migration} if migration else None,
    )


def _pod_annotations(service: Service, around: Surroundings) -> dict[str, str]:
    """Return what makes the pods roll: changed settings, a rotated secret, somebody's wish."""
    read = {name: around.secret_versions.get(name, "") for name in pods.secret_names(service)}
    found = {names.SETTINGS_CHECKSUM_ANNOTATION: metadata.checksum([pods.settings(service), read])}
    if around.restart_token:
        found[names.RESTARTED_ANNOTATION] = around.restart_token
    return found


def _pod(
    platform: TicketlyPlatform, service: Service, around: Surroundings, selector: dict[str, str]
) -> dict[str, Any]:
    main = pods.container(platform, service)
    main["ports"] = [{"name": "internal", "containerPort": service.internal_port, "protocol": "TCP"}]
    if service.public_port is not None:
        main["ports"].append({"name": "public", "containerPort": service.public_port, "protocol": "TCP"})
    main["startupProbe"] = pods.probe(service.probes.startup)
    main["readinessProbe"] = pods.probe(service.probes.readiness)
    main["livenessProbe"] = pods.probe(service.probes.liveness)
    main["lifecycle"] = {"preStop": {"sleep": {"seconds": DRAIN_SECONDS}}}
    made = pods.pod(platform, service, main)
    made["terminationGracePeriodSeconds"] = around.termination_grace_seconds
    made["topologySpreadConstraints"] = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]
    return made
