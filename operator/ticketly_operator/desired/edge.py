"""The way in from outside: one Ingress with the public prefixes, and Traefik's limits where Traefik is.

Traefik's buffering holds back whole bodies, so the body limit sits on an Ingress of its own with the one prefix that
takes uploads and serves no streams; a middleware on the common Ingress would break every event stream.
"""

from __future__ import annotations

from typing import Any, Final

from ticketly_crds import names
from ticketly_crds.blueprint import Blueprint, Route
from ticketly_crds.spec import TicketlyPlatform
from ticketly_operator.desired import metadata
from ticketly_operator.desired.model import Manifest, Surroundings

MIDDLEWARE: Final = "Middleware.traefik.io"
_UPLOAD_SERVICE: Final = "event-command"
_FORM_OVERHEAD_BYTES: Final = 1_048_576
"""Several files and fields of one form arrive in one body."""


def edge(platform: TicketlyPlatform, blueprint: Blueprint, around: Surroundings) -> tuple[Manifest, ...]:
    """Return Ingresses and Middlewares, nothing when the ingress is off."""
    if not platform.spec.ingress.enabled:
        return ()
    traefik = MIDDLEWARE in around.optional_kinds
    limits = _middlewares(platform) if traefik else {}
    uploads = tuple(route for route in blueprint.routes if route.service == _UPLOAD_SERVICE)
    others = tuple(route for route in blueprint.routes if route.service != _UPLOAD_SERVICE)
    rate = [purpose for purpose in ("rate-limit",) if purpose in limits]
    made = [
        _ingress(platform, names.ingress(platform.name), others, rate),
        _ingress(
            platform,
            names.shortened(names.ingress(platform.name), "uploads"),
            uploads,
            [*rate, *_BODY] if traefik else [],
        ),
    ]
    return (*limits.values(), *made)


_BODY: Final = ("body-limit",)


def _ingress(platform: TicketlyPlatform, name: str, routes: tuple[Route, ...], purposes: list[str]) -> Manifest:
    wanted = platform.spec.ingress
    rule: dict[str, Any] = {
        "http": {
            "paths": [
                {
                    "path": route.prefix,
                    "pathType": "Prefix",
                    "backend": {
                        "service": {
                            "name": names.workload(platform.name, route.service),
                            "port": {"name": "public"},
                        }
                    },
                }
                for route in routes
            ]
        }
    }
    if wanted.host:
        rule["host"] = wanted.host
    spec: dict[str, Any] = {"ingressClassName": wanted.class_name, "rules": [rule]}
    if wanted.tls_secret_name:
        spec["tls"] = [{"secretName": wanted.tls_secret_name, **({"hosts": [wanted.host]} if wanted.host else {})}]
    chain = ",".join(
        f"{platform.metadata.namespace}-{names.middleware(platform.name, purpose)}@kubernetescrd"
        for purpose in purposes
    )
    annotations = {"traefik.ingress.kubernetes.io/router.middlewares": chain} if chain else None
    return metadata.manifest(platform, "networking.k8s.io/v1", "Ingress", name, {"spec": spec}, annotations=annotations)


def _middlewares(platform: TicketlyPlatform) -> dict[str, Manifest]:
    limit = platform.spec.ingress.rate_limit
    specs: dict[str, dict[str, Any]] = {
        "body-limit": {"buffering": {"maxRequestBodyBytes": platform.spec.uploads.max_bytes + _FORM_OVERHEAD_BYTES}}
    }
    if limit.average:
        specs["rate-limit"] = {"rateLimit": {"average": limit.average, "burst": limit.burst, "period": limit.period}}
    return {
        purpose: metadata.manifest(
            platform,
            "traefik.io/v1alpha1",
            "Middleware",
            names.middleware(platform.name, purpose),
            {"spec": spec},
        )
        for purpose, spec in specs.items()
    }
