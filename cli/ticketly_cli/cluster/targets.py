"""Where a platform file goes: its own namespace, or the chosen one."""

from __future__ import annotations

from pathlib import Path

from ticketly_cli.cluster import platform_files, platforms
from ticketly_cli.cluster.connection import Api
from ticketly_cli.cluster.kinds import NAMESPACE
from ticketly_cli.cluster.platform_files import PlatformFile
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.results import JsonObject


def read(path: Path) -> PlatformFile:
    """The file, complete for a cluster. Raises CliError (exit code 3) naming each field path."""
    found = platform_files.read(path)
    platform_files.cluster_blueprint(found.platform)
    return found


def placed(api: Api, file: PlatformFile, namespace: str, *, create_namespace: bool = False) -> JsonObject:
    """The document with its namespace, which exists (or is made).

    Raises CliError: 3 when the file and --namespace differ, 4 when there is no such namespace.
    """
    stated = file.document["metadata"].get("namespace", "")
    if stated and namespace and stated != namespace:
        message = f"The file names namespace {stated}, --namespace says {namespace}."
        raise CliError(message, "Leave one of them out.", ExitCode.BAD_ARGUMENTS)
    chosen = stated or api.namespace
    if create_namespace and api.get(NAMESPACE, "", chosen) is None:
        api.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": chosen}})
    platforms.need_namespace(api, chosen)
    return {**file.document, "metadata": {**file.document["metadata"], "namespace": chosen}}
