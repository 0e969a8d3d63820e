"""The front door: Caddy serves the public prefixes of all services on one origin, as the ingress does in a cluster.

Streams pass as they come: no compression here, and Caddy's own flushing of event streams is left alone.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ticketly_cli.local import health
from ticketly_cli.local.component import Component, ProcessSpec, fingerprint
from ticketly_crds.blueprint import Route

_MULTIPART_ALLOWANCE_BYTES = 1024 * 1024
"""The limit is for the uploaded files together; the form around them takes a little more."""

_HEALTH_PATH = "/.ticketly/front-door"


def configuration(routes: Sequence[Route], port: int, max_upload_bytes: int) -> dict[str, Any]:
    """Caddy's configuration; pure."""
    public = [_route(route, max_upload_bytes) for route in routes]
    handled = [_health_route(), *public, _problem_route(404, "not-found")]
    return {
        "admin": {"disabled": True, "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "apps": {
            "http": {
                "servers": {
                    "front": {
                        "listen": [f"127.0.0.1:{port}"],
                        "protocols": ["h1"],
                        "automatic_https": {"disable": True},
                        "routes": handled,
                        "errors": {
                            "routes": [
                                {**_problem_route(413, "too-large"), "match": _error(413)},
                                {**_problem_route(502, "service-unavailable"), "match": _error(502)},
                                {**_problem_route(504, "service-timeout"), "match": _error(504)},
                            ]
                        },
                    }
                }
            }
        },
    }


_TITLES: Mapping[int, str] = {
    404: "Not found",
    413: "Request too large",
    502: "Service unavailable",
    504: "Service did not answer in time",
}


def _error(status: int) -> list[dict[str, Any]]:
    return [{"expression": f"{{http.error.status_code}} == {status}"}]


def _health_route() -> dict[str, Any]:
    return {"match": [{"path": [_HEALTH_PATH]}], "handle": [{"handler": "static_response", "status_code": 204}]}


def _route(route: Route, max_upload_bytes: int) -> dict[str, Any]:
    return {
        "match": [{"path": [route.prefix, f"{route.prefix}/*"]}],
        "handle": [
            {"handler": "request_body", "max_size": max_upload_bytes + _MULTIPART_ALLOWANCE_BYTES},
            {"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{route.port}"}]},
        ],
        "terminal": True,
    }


def _problem_route(status: int, code: str) -> dict[str, Any]:
    """RFC 9457 as the services send it."""
    body = {"type": "about:blank", "title": _TITLES[status], "status": status, "code": code}
    return {
        "handle": [
            {
                "handler": "static_response",
                "status_code": status,
                "headers": {"Content-Type": ["application/problem+json"], "Cache-Control": ["no-store"]},
                "body": json.dumps(body),
            }
        ]
    }


def component(
    program: Path,
    configuration_file: Path,
    data: Path,
    routes: Sequence[Route],
    port: int,
    max_upload_bytes: int,
    version: str,
) -> Component:
    """`data` is a folder of its own that Caddy may write to."""
    content = json.dumps(configuration(routes, port, max_upload_bytes), indent=2)

    def prepare() -> None:
        data.mkdir(parents=True, exist_ok=True)
        configuration_file.write_text(content, encoding="utf-8")

    return Component(
        name="front-door",
        needs=frozenset(),
        version=version,
        address=f"http://127.0.0.1:{port}",
        process=ProcessSpec(
            argv=(str(program), "run", "--config", str(configuration_file)),
            folder=data.parent,
            environment={"XDG_DATA_HOME": str(data), "XDG_CONFIG_HOME": str(data), "HOME": os.fspath(data)},
        ),
        prepare=prepare,
        probe=functools.partial(health.http, f"http://127.0.0.1:{port}{_HEALTH_PATH}", (204,)),
        fingerprint=fingerprint(content),
    )
