"""The Job that migrates a service's database before its new version rolls out.

Its name carries a digest of its whole template: another image or another setting is another Job, and the same one is
never run twice. A Job is kept when it is done, as the record that it was.
"""

from __future__ import annotations

from typing import Any

from ticketly_crds import names
from ticketly_crds.blueprint import Service
from ticketly_crds.spec import TicketlyPlatform
from ticketly_operator.desired import metadata, pods
from ticketly_operator.desired.model import Manifest, Surroundings


def digest(platform: TicketlyPlatform, service: Service, around: Surroundings) -> str:
    """Return what identifies the migration; Secrets count by name only, a new password needs no migration."""
    return metadata.checksum([_spec(platform, service, around), pods.settings(service)])[:10]


def migration(platform: TicketlyPlatform, service: Service, around: Surroundings) -> Manifest:
    """Return the Job."""
    name = names.migration_job(platform.name, service.name, digest(platform, service, around))
    body = {"spec": _spec(platform, service, around)}
    return metadata.manifest(platform, "batch/v1", "Job", name, body, service=service)


def _spec(platform: TicketlyPlatform, service: Service, around: Surroundings) -> dict[str, Any]:
    template = pods.pod(platform, service, pods.container(platform, service, ("migrate",)))
    template["restartPolicy"] = "Never"
    # not the service's own labels: a Service must not send requests to a migration
    labels = {
        **names.labels(platform.name, None, platform.spec.version),
        names.COMPONENT_LABEL: names.label_value(f"{service.name}-migration"),
    }
    return {
        "backoffLimit": 3,
        "activeDeadlineSeconds": around.migration_deadline_seconds,
        "template": {"metadata": {"labels": labels}, "spec": template},
    }
