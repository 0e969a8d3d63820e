"""The folder of a control plane before anything runs in it: keys, tokens, configuration files."""

from __future__ import annotations

import csv
import os
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

import yaml

from ticketly_cli.errors import CliError
from ticketly_lab import audit, certificates, children, kubeconfigs, stages
from ticketly_lab.flags import Layout, Ports
from ticketly_lab.ports import free_ports

ADMIN = "admin"
USERS = {
    # file name of the kubeconfig -> user, group
    ADMIN: ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "kwok": ("simulated-kubelet", "system:masters"),
    "usage": ("simulated-metrics", "system:masters"),
}


def emptied(folder: Path) -> Path:
    """Only what an earlier control plane left is deleted. Raises CliError when one runs there or other files are."""
    root = folder.expanduser().absolute()
    running = children.recorded(root)
    if running:
        raise CliError(
            f"A control plane runs in {root} already ({', '.join(running)}).",
            f"Stop it with `python -m ticketly_lab down --folder {root}`.",
        )
    if root.exists() and any(root.iterdir()):
        if not (root / "pki" / "tokens.csv").exists():
            raise CliError(f"{root} is not empty and holds no control plane.", "Name another folder.")
        shutil.rmtree(root)
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    return root


def lay_out(root: Path, upstream_stages: Path) -> tuple[Layout, dict[str, str]]:
    """Certificates, tokens and configuration files. Returns the layout and the token of each user."""
    keys = certificates.issue(root / "pki", datetime.now(UTC))
    layout = Layout(root, Ports(*free_ports(7)), keys)
    tokens = {name: secrets.token_urlsafe(24) for name in USERS}
    with os.fdopen(os.open(layout.tokens, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        for name, (user, group) in USERS.items():
            table.writerow([tokens[name], user, name, *([group] if group else [])])
    authority = keys.authority.read_bytes()
    for name, (user, _) in USERS.items():
        content = kubeconfigs.with_token(layout.url, authority, user, tokens[name])
        kubeconfigs.write(layout.kubeconfig(name), content)
    layout.audit_policy.write_text(yaml.safe_dump(audit.POLICY), encoding="utf-8")
    upstream = yaml.safe_load_all(upstream_stages.read_text(encoding="utf-8"))
    layout.stages.write_text(yaml.safe_dump_all(stages.with_failures(upstream)), encoding="utf-8")
    return layout, tokens
