"""Blueprint -> the objects, connectors and topics that should exist. Pure builders, one module for each concern."""

from __future__ import annotations

from ticketly_crds.blueprint import Blueprint
from ticketly_crds.spec import TicketlyPlatform
from ticketly_operator.desired import edge, monitors, policies, scaling, services
from ticketly_operator.desired.deployments import deployment
from ticketly_operator.desired.migrations import digest, migration
from ticketly_operator.desired.model import Desired, Manifest, Surroundings

__all__ = ["Desired", "Manifest", "Surroundings", "desired"]


def desired(platform: TicketlyPlatform, blueprint: Blueprint, around: Surroundings) -> Desired:
    """Return everything the platform should consist of in Kubernetes."""
    objects: list[Manifest | None] = [policies.default_deny(platform)]
    for service in blueprint.services:
        objects += [
            services.account(platform, service),
            services.settings_map(platform, service),
            services.address(platform, service),
            policies.edges(platform, blueprint, service, around),
            scaling.autoscaler(platform, blueprint, service, around.now),
            scaling.budget(platform, service),
        ]
    objects += [*edge.edge(platform, blueprint, around), *monitors.monitors(platform, around)]
    migrating = [service for service in blueprint.services if service.migrates]
    digests = {service.name: digest(platform, service, around) for service in migrating}
    return Desired(
        objects=tuple(made for made in objects if made is not None),
        migrations={service.name: migration(platform, service, around) for service in migrating},
        deployments={
            service.name: deployment(platform, service, around, digests.get(service.name, ""))
            for service in blueprint.services
        },
    )
