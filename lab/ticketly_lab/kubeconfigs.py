"""Kubeconfig files: complete in themselves, readable by their owner only."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import yaml


def with_token(url: str, authority: bytes, user: str, token: str, namespace: str = "default") -> dict[str, Any]:
    """A kubeconfig of one cluster, one user with a bearer token, and one context. `authority` is PEM."""
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(authority).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user, "namespace": namespace}}],
    }


def with_other_user(admin: dict[str, Any], user: str, token: str, namespace: str) -> dict[str, Any]:
    """The same cluster for somebody else; nothing of the first user's credentials is kept."""
    (cluster,) = admin["clusters"]
    context = {"cluster": cluster["name"], "user": user, "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [cluster],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": context}],
    }


def write(path: Path, content: dict[str, Any]) -> Path:
    """Replaces a file of that name."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        yaml.safe_dump(content, file, sort_keys=False)
    return path


def read(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise TypeError(f"{path} is not a kubeconfig")
    return content
