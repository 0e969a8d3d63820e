"""Command lines of the control plane's programs. Pure: addresses and files in, arguments out.

Everything listens on loopback. What differs from a real control plane differs on purpose, and says so here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ticketly_lab.certificates import Certificates

LOOPBACK = "127.0.0.1"
NODE_MARK = ("ticketly.io/simulated-node", "true")
"""Annotation of the nodes that kwok plays; it leaves every other node alone."""
CPU_ANNOTATION = "ticketly.io/simulated-cpu"
MEMORY_ANNOTATION = "ticketly.io/simulated-memory"
"""Annotations of pods: what the metrics API says they use."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One listening port for each server."""

    api_server: int
    etcd: int
    etcd_peers: int
    controller_manager: int
    scheduler: int
    kwok: int
    usage: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Files of one control plane, below one folder."""

    root: Path
    ports: Ports
    certificates: Certificates

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self.ports.api_server}"

    @property
    def etcd_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports.etcd}"

    @property
    def tokens(self) -> Path:
        return self.root / "pki" / "tokens.csv"

    @property
    def audit_policy(self) -> Path:
        return self.root / "audit-policy.yaml"

    @property
    def audit_log(self) -> Path:
        return self.root / "audit.jsonl"

    @property
    def stages(self) -> Path:
        return self.root / "stages.yaml"

    def kubeconfig(self, user: str) -> Path:
        return self.root / f"{user}.kubeconfig"

    def log(self, program: str) -> Path:
        return self.root / f"{program}.log"


def etcd(layout: Layout) -> list[str]:
    """Writes are not forced to the disk: the data outlives the processes, not the machine."""
    peers = f"http://{LOOPBACK}:{layout.ports.etcd_peers}"
    return [
        f"--data-dir={layout.root / 'etcd'}",
        f"--listen-client-urls={layout.etcd_url}",
        f"--advertise-client-urls={layout.etcd_url}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(layout: Layout) -> list[str]:
    """RBAC is in force for everybody but the group system:masters. Every request but probes is audited."""
    certificates = layout.certificates
    return [
        f"--etcd-servers={layout.etcd_url}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        f"--secure-port={layout.ports.api_server}",
        "--service-cluster-ip-range=10.96.0.0/16",
        # the address of this API server is no use to anybody else, so no Endpoints are kept for it
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={certificates.serving.certificate}",
        f"--tls-private-key-file={certificates.serving.key}",
        f"--client-ca-file={certificates.authority}",
        f"--token-auth-file={layout.tokens}",
        "--authorization-mode=Node,RBAC",
        "--anonymous-auth=false",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={certificates.service_accounts}",
        f"--service-account-signing-key-file={certificates.service_accounts}",
        f"--requestheader-client-ca-file={certificates.front_proxy_authority}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={certificates.front_proxy_client.certificate}",
        f"--proxy-client-key-file={certificates.front_proxy_client.key}",
        f"--kubelet-client-certificate={certificates.kubelet_client.certificate}",
        f"--kubelet-client-key={certificates.kubelet_client.key}",
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true",
        "--profiling=false",
        "--shutdown-delay-duration=0s",
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-format=json",
        # a batch would hold back what a test wants to read
        "--audit-log-mode=blocking",
    ]


def controller_manager(layout: Layout) -> list[str]:
    """Autoscaling looks and forgets sooner than usual, so that a test sees it within seconds."""
    return [
        *_controller(layout, "controller-manager", layout.ports.controller_manager),
        f"--service-account-private-key-file={layout.certificates.service_accounts}",
        f"--root-ca-file={layout.certificates.authority}",
        "--use-service-account-credentials=true",
        # the API server refuses endpoints on loopback, and nobody routes to them here
        "--controllers=*,-endpoints-controller,-endpointslice-controller,-endpointslice-mirroring-controller",
        "--horizontal-pod-autoscaler-sync-period=3s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=3s",
        "--horizontal-pod-autoscaler-cpu-initialization-period=5s",
        "--horizontal-pod-autoscaler-downscale-stabilization=15s",
    ]


def scheduler(layout: Layout) -> list[str]:
    return _controller(layout, "scheduler", layout.ports.scheduler)


def _controller(layout: Layout, name: str, port: int) -> list[str]:
    """One of each runs, so nobody has to be elected."""
    own = layout.kubeconfig(name)
    return [
        f"--kubeconfig={own}",
        f"--authentication-kubeconfig={own}",
        f"--authorization-kubeconfig={own}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        f"--tls-cert-file={layout.certificates.serving.certificate}",
        f"--tls-private-key-file={layout.certificates.serving.key}",
        "--leader-elect=false",
    ]


def kwok(layout: Layout) -> list[str]:
    """Pods get loopback addresses: who asks a simulated pod is refused by this machine and bothers no other."""
    port = layout.ports.kwok
    return [
        f"--kubeconfig={layout.kubeconfig('kwok')}",
        f"--config={layout.stages}",
        f"--manage-nodes-with-annotation-selector={'='.join(NODE_MARK)}",
        "--node-lease-duration-seconds=40",
        f"--node-ip={LOOPBACK}",
        f"--node-port={port}",
        f"--server-address={LOOPBACK}:{port}",
        "--cidr=127.200.0.0/16",
        f"--tls-cert-file={layout.certificates.serving.certificate}",
        f"--tls-private-key-file={layout.certificates.serving.key}",
    ]


def usage(layout: Layout) -> list[str]:
    """Arguments of `python -m ticketly_lab.usage`."""
    return [
        f"--kubeconfig={layout.kubeconfig('usage')}",
        f"--port={layout.ports.usage}",
        f"--certificate={layout.certificates.serving.certificate}",
        f"--key={layout.certificates.serving.key}",
    ]
