"""A platform file for a cluster, made to stand on stores of the lab. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a platform has to name. Stores of the lab are one broker and servers without encryption."""

    postgres_host: str
    postgres_port: int
    bootstrap_servers: str
    connect_url: str
    secrets_path: str
    """Where the Connect workers find the Secrets, a folder for each."""


def adapted(sample: Mapping[str, Any], stores: Addresses) -> dict[str, Any]:
    """The sample with nothing changed but where its stores are, what one broker cannot do, and encryption."""
    found = copy.deepcopy(dict(sample))
    spec = found["spec"]
    spec["postgres"].update(host=stores.postgres_host, port=stores.postgres_port, sslMode="disable")
    spec["kafka"].update(bootstrapServers=stores.bootstrap_servers, replicationFactor=1, minInsyncReplicas=1)
    spec["connect"].update(url=stores.connect_url, secretsPath=stores.secrets_path)
    return found
