"""Where tests get a cluster: one that a person named and allowed, else a control plane of their own.

A cluster that exists is used only when both are said: its context in TICKETLY_TEST_KUBE_CONTEXT, and that tests may
write there, in TICKETLY_TEST_KUBE_CONTEXTS or in the file `test-contexts` of the user's configuration folder (one name
a line). The current context of a kubeconfig is never used. Nobody plays the nodes of such a cluster.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import platformdirs
import yaml

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local import paths
from ticketly_cli.local.prerequisites import Say
from ticketly_lab import build, kubeconfigs
from ticketly_lab.cluster import Cluster
from ticketly_lab.control_plane import ControlPlane

CONTEXT_VARIABLE = "TICKETLY_TEST_KUBE_CONTEXT"
ALLOWED_VARIABLE = "TICKETLY_TEST_KUBE_CONTEXTS"
ALLOWED_FILE = "test-contexts"


def named_context(environment: Mapping[str, str], allowed_in_file: str) -> str:
    """The context that tests shall use, empty for a control plane of their own. Pure.

    Raises CliError for a context nobody allowed tests to write to.
    """
    name = environment.get(CONTEXT_VARIABLE, "")
    allowed = {entry.strip() for entry in environment.get(ALLOWED_VARIABLE, "").split(",")}
    allowed |= {line.partition("#")[0].strip() for line in allowed_in_file.splitlines()}
    if name and name not in allowed:
        raise CliError(
            f"Tests are not allowed to write to the cluster of context {name}.",
            f"Add it to {ALLOWED_VARIABLE} or to {_allowed_file()} if that is what you want.",
            ExitCode.BAD_ARGUMENTS,
        )
    return name


@contextmanager
def cluster(say: Say = build.say_on_standard_error) -> Iterator[Cluster]:
    """A cluster for one test session, with the platform's custom resources. Ours has a metrics API and two nodes."""
    file = _allowed_file()
    name = named_context(os.environ, file.read_text(encoding="utf-8") if file.exists() else "")
    definitions = resource_definitions()
    if not name:
        with ControlPlane.start(nodes=2, metrics=True, crds=definitions, say=say) as plane:
            yield plane
        return
    with tempfile.TemporaryDirectory(prefix="ticketly-lab-") as folder:
        existing = _existing(name, Path(folder), say)
        for path in definitions:
            existing.kubectl("apply", "--server-side", f"--filename={path}")
        yield existing


def resource_definitions() -> list[Path]:
    """The CustomResourceDefinitions that ticketly_crds carries."""
    with resources.as_file(resources.files("ticketly_crds")) as folder:
        return [path for path in sorted(folder.glob("*.yaml")) if _is_definition(path)]


def _is_definition(path: Path) -> bool:
    documents = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    return all(document.get("kind") == "CustomResourceDefinition" for document in documents)


def new_namespace(where: Cluster) -> str:
    """Made with a name nobody has used, and with its `default` ServiceAccount, without which no pod is admitted."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    where.kubectl("create", "namespace", name)
    options = [f"--namespace={name}", "--timeout=60s"]
    where.kubectl("wait", "--for=create", "serviceaccount/default", *options)
    return name


def _allowed_file() -> Path:
    return Path(platformdirs.user_config_dir("ticketly", appauthor=False)) / ALLOWED_FILE


def _existing(context: str, folder: Path, say: Say) -> Cluster:
    """The person's kubeconfig is read once; what is needed of it is copied to `folder`."""
    on_path = shutil.which("kubectl")
    kubectl = Path(on_path) if on_path else build.control_plane(paths.cache_folder(), say)["kubectl"]
    command = [str(kubectl), "config", "view", "--minify", "--flatten", "--raw", f"--context={context}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CliError(f"Context {context} cannot be used: {done.stderr.strip()}", "", ExitCode.UNREACHABLE)
    content = yaml.safe_load(done.stdout)
    return Cluster(folder, kubectl, kubeconfigs.write(folder / "admin.kubeconfig", content))
