"""A connector's configuration as Connect stores it: passwords stay references that the workers resolve."""

from __future__ import annotations

from ticketly_crds.blueprint import Connector, SecretRef


def configuration(connector: Connector, secrets_path: str) -> dict[str, str]:
    """Return the configuration; ``secrets_path`` is where the workers have the Secrets mounted, a folder for each."""
    return {key: _reference(value, secrets_path) for key, value in connector.config.items()}


def _reference(value: str | SecretRef, secrets_path: str) -> str:
    if isinstance(value, SecretRef):
        return f"${{directory:{secrets_path}/{value.name}:{value.key}}}"
    return value
