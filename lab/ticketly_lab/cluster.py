"""A Kubernetes cluster that tests may write to, through kubectl: ours, or one that somebody named on purpose."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ticketly_lab import kubeconfigs

KUBECTL_TIMEOUT_SECONDS = 120.0
FIELD_MANAGER = "ticketly-lab"
VALID_HOURS = 24


class KubectlError(Exception):
    """kubectl refused or was refused; the text is what it wrote to standard error."""


class Cluster:
    """`kubeconfig` is a file that names exactly one context, which acts as a cluster administrator."""

    def __init__(self, folder: Path, kubectl: Path, kubeconfig: Path) -> None:
        self.folder = folder
        """For files of this cluster; private to the owner."""
        self.kubeconfig = kubeconfig
        self.kubectl_program = kubectl

    @property
    def url(self) -> str:
        (cluster,) = kubeconfigs.read(self.kubeconfig)["clusters"]
        return str(cluster["cluster"]["server"])

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - as in subprocess.run
        kubeconfig: Path | None = None,
        timeout_seconds: float = KUBECTL_TIMEOUT_SECONDS,
    ) -> str:
        """What kubectl prints. `kubeconfig` is another user's; the administrator acts when it is left out.

        Raises KubectlError when it fails and subprocess.TimeoutExpired when it hangs.
        """
        options = [f"--kubeconfig={kubeconfig or self.kubeconfig}", f"--cache-dir={self.folder / 'kubectl-cache'}"]
        done = subprocess.run(
            [self.kubectl_program, *options, *arguments],
            input=input,
            # without the person's own settings, such as KUBECONFIG and HOME
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def apply(
        self,
        *objects: Mapping[str, Any],
        manager: str = FIELD_MANAGER,
        force: bool = False,
        kubeconfig: Path | None = None,
    ) -> None:
        """Server-side apply. Raises KubectlError for an invalid object, and without `force` for another manager's."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        options = ["--server-side", f"--field-manager={manager}", f"--force-conflicts={str(force).lower()}"]
        self.kubectl("apply", *options, "-f", "-", input=text, kubeconfig=kubeconfig)

    def get(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any] | None:
        """One object with its managed fields, None when there is none."""
        options = [f"--namespace={namespace}", "--ignore-not-found", "--show-managed-fields", "--output=json"]
        text = self.kubectl("get", kind, name, *options)
        return json.loads(text) if text else None

    def list(self, kind: str, namespace: str = "default", selector: str = "") -> list[dict[str, Any]]:
        options = [f"--namespace={namespace}", f"--selector={selector}", "--output=json"]
        return list(json.loads(self.kubectl("get", kind, *options))["items"])

    def kubeconfig_for(self, service_account: str, namespace: str) -> Path:
        """A kubeconfig with a token of that ServiceAccount, which must exist: what it may do is what RBAC grants it."""
        options = [f"--namespace={namespace}", f"--duration={VALID_HOURS}h"]
        token = self.kubectl("create", "token", service_account, *options).strip()
        path = self.folder / f"{namespace}.{service_account}.kubeconfig"
        admin = kubeconfigs.read(self.kubeconfig)
        return kubeconfigs.write(path, kubeconfigs.with_other_user(admin, service_account, token, namespace))
