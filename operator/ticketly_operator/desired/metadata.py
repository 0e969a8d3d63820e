"""What every object carries: name, labels, its owner, and the checksum of what was applied."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ticketly_crds import names
from ticketly_crds.blueprint import Service
from ticketly_crds.spec import API_VERSION, KIND, TicketlyPlatform
from ticketly_operator.desired.model import Manifest


def manifest(
    platform: TicketlyPlatform,
    api_version: str,
    kind: str,
    name: str,
    body: dict[str, Any],
    *,
    service: Service | None = None,
    annotations: dict[str, str] | None = None,
) -> Manifest:
    """Return a whole object. It goes away with its platform, and its checksum stands in an annotation.

    The owner does not block: a platform whose children are slow to end must not be held up by them.
    """
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": platform.metadata.namespace,
        "labels": names.labels(platform.name, service.name if service else None, platform.spec.version),
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": platform.name,
                "uid": platform.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }
    made: Manifest = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}
    metadata["annotations"] = {**(annotations or {}), names.APPLIED_ANNOTATION: checksum({**made, "_": annotations})}
    return made


def checksum(content: object) -> str:
    """Return sixteen characters that change with the content."""
    encoded = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(encoded).hexdigest()[:16]
