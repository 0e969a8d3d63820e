"""What is built: pinned Go modules, the commands taken from each, and the versions they carry. Pure but for reading
the module files of this package."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources

BUILD_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")
"""Without debugging data the linker needs a third of the memory, and the programs are a third smaller."""

MODULE_FILES = ("go.mod", "go.sum")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Commands of one pinned module. `packages` maps the name of a program to the package it is compiled from."""

    module: str
    pinned: str
    """The required module whose version names the build."""
    packages: Mapping[str, str]
    stamps: tuple[str, ...] = ()
    """Variables the linker sets to the version, which the programs then report."""
    data: tuple[str, ...] = ()
    """Folders of the pinned module whose YAML files are kept beside the programs, in one file `data.yaml`."""

    def text(self, name: str) -> str:
        return resources.files("ticketly_lab").joinpath("modules", self.module, name).read_text(encoding="utf-8")

    @property
    def version(self) -> str:
        return required_version(self.text("go.mod"), self.pinned)

    def linker_flags(self) -> str:
        version = self.version
        major, minor, *_ = version.removeprefix("v").split(".")
        values = {"{version}": version, "{major}": major, "{minor}": minor}
        stamps = []
        for stamp in self.stamps:
            for mark, value in values.items():
                stamp = stamp.replace(mark, value)
            stamps.append(f"-X {stamp}")
        return " ".join(["-s", "-w", *stamps])

    def only(self, programs: Iterable[str]) -> Recipe:
        """The same, for some of its programs."""
        wanted = set(programs)
        return replace(self, packages={name: path for name, path in self.packages.items() if name in wanted})

    def key(self, go_version: str, machine: str) -> str:
        """Changes with everything that goes into the programs."""
        parts = [
            *(self.text(name) for name in MODULE_FILES),
            *(f"{name}={path}" for name, path in sorted(self.packages.items())),
            *self.data,
            *BUILD_FLAGS,
            self.linker_flags(),
            go_version,
            machine,
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def required_version(go_mod: str, module: str) -> str:
    """Version of a requirement in a go.mod. Raises ValueError when it is not required."""
    found = re.search(rf"^(?:require)?\s+{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise ValueError(f"{module} is not required")
    return found[1]


KUBERNETES = Recipe(
    module="kubernetes",
    pinned="k8s.io/kubernetes",
    packages={
        "etcd": "go.etcd.io/etcd/server/v3",
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
        "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    },
    stamps=(
        "k8s.io/component-base/version.gitVersion={version}",
        "k8s.io/component-base/version.gitMajor={major}",
        "k8s.io/component-base/version.gitMinor={minor}",
        "k8s.io/component-base/version.gitTreeState=clean",
        "k8s.io/client-go/pkg/version.gitVersion={version}",
    ),
)
KWOK = Recipe(
    module="kwok",
    pinned="sigs.k8s.io/kwok",
    packages={"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
    stamps=("sigs.k8s.io/kwok/pkg/consts.Version={version}",),
    data=("kustomize/stage/node/fast", "kustomize/stage/pod/fast"),
)
PROMTOOL = Recipe(
    module="promtool",
    pinned="github.com/prometheus/prometheus",
    packages={"promtool": "github.com/prometheus/prometheus/cmd/promtool"},
)
HELM = Recipe(module="helm", pinned="helm.sh/helm/v4", packages={"helm": "helm.sh/helm/v4/cmd/helm"})
PULUMI = Recipe(
    module="pulumi",
    pinned="github.com/pulumi/pulumi/pkg/v3",
    packages={"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
    stamps=("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}",),
)

CONTROL_PLANE = (KUBERNETES, KWOK)
TOOLS = {"promtool": PROMTOOL, "helm": HELM, "pulumi": PULUMI}
