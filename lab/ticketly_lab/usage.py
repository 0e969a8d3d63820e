"""The resource metrics API (`metrics.k8s.io/v1beta1`) for pods that do not really run.

A pod uses what its annotations say; without them next to nothing. The API server passes requests on to this process,
so autoscalers and `kubectl top pods` take it for a metrics server. Nodes are not measured.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import logging
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from ticketly_lab import kubeconfigs
from ticketly_lab.flags import CPU_ANNOTATION, MEMORY_ANNOTATION

IDLE_CPU = "1m"
IDLE_MEMORY = "1Mi"

GROUP_VERSION = "metrics.k8s.io/v1beta1"
_SELECTORS = ("labelSelector", "fieldSelector")
_ADMIN = web.AppKey("admin", aiohttp.ClientSession)


def pod_metrics(pod: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What the annotations say, for each container. Pure."""
    metadata = pod["metadata"]
    annotations = metadata.get("annotations", {})
    used = {
        "cpu": annotations.get(CPU_ANNOTATION, IDLE_CPU),
        "memory": annotations.get(MEMORY_ANNOTATION, IDLE_MEMORY),
    }
    return {
        "metadata": {key: metadata[key] for key in ("name", "namespace", "labels") if key in metadata},
        "timestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "window": "10s",
        "containers": [{"name": container["name"], "usage": used} for container in pod["spec"]["containers"]],
    }


async def _resources(request: web.Request) -> web.Response:
    del request
    kinds = [("pods", "PodMetrics", True), ("nodes", "NodeMetrics", False)]
    resources = [
        {"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": ["get", "list"]}
        for name, kind, namespaced in kinds
    ]
    return web.json_response(
        {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP_VERSION, "resources": resources}
    )


async def _nodes(request: web.Request) -> web.Response:
    del request
    return web.json_response({"kind": "NodeMetricsList", "apiVersion": GROUP_VERSION, "metadata": {}, "items": []})


async def _pods(request: web.Request) -> web.Response:
    namespace = request.match_info.get("namespace")
    path = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
    parameters = {name: request.query[name] for name in _SELECTORS if name in request.query}
    async with request.app[_ADMIN].get(path, params=parameters) as answer:
        answer.raise_for_status()
        pods = (await answer.json())["items"]
    now = datetime.now(UTC)
    items = [pod_metrics(pod, now) for pod in pods if pod["status"].get("phase") == "Running"]
    return web.json_response({"kind": "PodMetricsList", "apiVersion": GROUP_VERSION, "metadata": {}, "items": items})


async def _pod(request: web.Request) -> web.Response:
    path = f"/api/v1/namespaces/{request.match_info['namespace']}/pods/{request.match_info['name']}"
    async with request.app[_ADMIN].get(path) as answer:
        if answer.status != web.HTTPOk.status_code:
            return web.json_response(await answer.json(), status=answer.status)
        pod = await answer.json()
    found = pod_metrics(pod, datetime.now(UTC))
    return web.json_response({"kind": "PodMetrics", "apiVersion": GROUP_VERSION, **found})


async def serve(kubeconfig: Path, port: int, certificate: Path, key: Path) -> None:
    """Listen on loopback until cancelled."""
    settings = kubeconfigs.read(kubeconfig)
    (cluster,), (user,) = settings["clusters"], settings["users"]
    authority = base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode()
    async with aiohttp.ClientSession(
        cluster["cluster"]["server"],
        headers={"Authorization": f"Bearer {user['user']['token']}"},
        connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=authority)),
        timeout=aiohttp.ClientTimeout(total=10),
    ) as session:
        application = web.Application()
        application[_ADMIN] = session
        base = f"/apis/{GROUP_VERSION}"
        application.add_routes(
            [
                web.get(base, _resources),
                web.get(f"{base}/nodes", _nodes),
                web.get(f"{base}/pods", _pods),
                web.get(f"{base}/namespaces/{{namespace}}/pods", _pods),
                web.get(f"{base}/namespaces/{{namespace}}/pods/{{name}}", _pod),
            ]
        )
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trust.load_cert_chain(certificate, key)
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=trust).start()
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ticketly_lab.usage")
    for name in ("--kubeconfig", "--certificate", "--key"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    asyncio.run(serve(options.kubeconfig, options.port, options.certificate, options.key))


if __name__ == "__main__":
    main()
