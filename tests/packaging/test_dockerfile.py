"""The images are built as they should be: read strictly, checked rule by rule, each rule shown to bite."""

from __future__ import annotations

import os
import re
from importlib import metadata
from pathlib import Path

import pytest

from ticketly_crds.blueprint import CONTRACT_PORTS, KINDS
from ticketly_lab.packaging.dockerfile import in_context, parse
from ticketly_operator.desired.installation import PORT, VERSION
from ticketly_operator.desired.pods import USER_ID

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IGNORE = (ROOT / ".dockerignore").read_text(encoding="utf-8")
SERVICES = [kind.name for kind in KINDS]
TARGETS = ["operator", *SERVICES]
PINNED = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
SECRET = re.compile(r"(?i)(password|passwd|secret|token|api_?key|credential)")


def faults(text):
    """What is wrong with a Dockerfile, in words; empty when nothing is."""
    read = parse(text)
    names = {stage.name for stage in read.stages}
    found = []
    for stage in read.stages:
        if stage.base not in names and not PINNED.fullmatch(stage.base):
            found.append(f"{stage.name}: {stage.base} is not pinned by digest")
        for each in stage.instructions:
            found += [f"line {each.line}: {fault}" for fault in _faults(each, names)]
    if SECRET.search(" ".join(read.arguments)):
        found.append("an argument is a secret")
    for target in [name for name in names if not any(stage.base == name for stage in read.stages)]:
        if not target.startswith("build-"):
            found += [f"{target}: {fault}" for fault in _target_faults(read, target)]
    return found


def _faults(each, names):
    if each.keyword == "ADD":
        yield "COPY does what is needed and fetches nothing"
    if each.keyword in {"RUN", "CMD", "ENTRYPOINT"} and each.words is None:
        yield f"{each.keyword} is not in exec form"
    if each.keyword == "ENV" and SECRET.search(" ".join(each.pairs())):
        yield "a secret in the environment"
    if each.keyword == "ARG" and SECRET.search(each.text):
        yield "a secret as an argument stands in the image's history"
    if each.keyword == "COPY" and each.flag("from") and each.flag("from") not in names:
        yield "COPY --from names no stage of this file"
    if each.keyword == "COPY" and ":latest" in each.text:
        yield "latest is not a version"


def _target_faults(read, target):
    lineage = read.lineage(target)
    users = [each.text for each in lineage if each.keyword == "USER"]
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        yield "does not run as a numbered user without rights"
    if any(each.keyword == "RUN" for each in lineage):
        yield "something is built in what runs"
    copied = [each.flag("from") for each in lineage if each.keyword == "COPY"]
    if not copied or not all(copied):
        yield "takes something else than the result of a build stage"
    if not any(each.keyword == "ENTRYPOINT" for each in lineage):
        yield "has no entry point"


def test_nothing_is_wrong_with_our_dockerfile():
    assert faults(TEXT) == []


@pytest.mark.parametrize(
    ("written", "instead", "told"),
    [
        (re.search(r"@sha256:[0-9a-f]{64}", TEXT).group(), "", "not pinned by digest"),
        ("USER 65532:65532", "USER root", "does not run as a numbered user"),
        ("USER 65532:65532\n", "", "does not run as a numbered user"),
        ('ENTRYPOINT ["python", "-m", "ticketly_order"]', "ENTRYPOINT python -m ticketly_order", "not in exec form"),
        ("COPY . .", "ADD https://example.com/it.tar.gz /", "COPY does what is needed"),
        ("ARG REVISION=unknown", "ARG REGISTRY_TOKEN", "stands in the image's history"),
        ("PYTHONUNBUFFERED=1", "DB_PASSWORD=1", "a secret in the environment"),
        ("COPY --from=build-order", "COPY --from=example.com/other:latest", "names no stage of this file"),
        ("WORKDIR /tmp", 'RUN ["pip", "install", "x"]', "something is built in what runs"),
    ],
)
def test_each_rule_bites(written, instead, told):
    assert written in TEXT
    assert any(told in fault for fault in faults(TEXT.replace(written, instead)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# syntax=docker/dockerfile:1\nFROM a AS b\n", "line 1: a parser directive"),
        ("FROM a\n", "line 1: FROM without AS"),
        ("FROM a AS b\nRUN <<EOF\nEOF\n", "line 2: a here-document"),
        ("FROM a AS b\nONBUILD RUN x\n", "line 2: ONBUILD is not expected"),
        ("FROM ${X} AS b\n", r"line 1: \$X is not declared"),
        ('FROM a AS b\nCMD ["x\n', "line 2: not an exec form"),
        ("FROM a AS b\nENV X=1 \\\n", "line 2: the instruction does not end"),
        ("ENV A=1\n", "line 1: ENV before the first FROM"),
    ],
)
def test_what_the_reader_does_not_understand_it_refuses(text, told):
    with pytest.raises(ValueError, match=told):
        parse(text)


def test_there_is_an_image_for_the_operator_and_for_each_service():
    read = parse(TEXT)
    last = [stage.name for stage in read.stages if stage.all("ENTRYPOINT")]
    assert last == TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_its_module_as_the_user_that_pods_have(target):
    read = parse(TEXT)
    stage = read.stage(target)
    (entry,) = stage.all("ENTRYPOINT")
    assert entry.words == ("python", "-m", f"ticketly_{target.replace('-', '_')}")
    (user,) = [each.text for each in read.lineage(target) if each.keyword == "USER"]
    assert user == f"{USER_ID}:{USER_ID}"
    (exposed,) = stage.all("EXPOSE")
    ports = CONTRACT_PORTS.get(target)
    wanted = {PORT} if ports is None else {ports.internal, ports.public} - {None}
    assert {int(port) for port in exposed.text.split()} == wanted
    (label,) = stage.all("LABEL")
    assert label.pairs()["org.opencontainers.image.description"] == metadata.metadata(f"ticketly-{target}")["Summary"]
    environment = read.environment(target)
    copied = stage.all("COPY")[0]
    folder = copied.text.split()[-1]
    assert environment["PATH"].split(":")[0] == f"{folder}/bin"
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert read.environment(f"build-{target}")["UV_PROJECT_ENVIRONMENT"] == folder


def test_versions_are_those_of_the_rest():
    labels = {name: value for each in parse(TEXT).stage("runtime").all("LABEL") for name, value in each.pairs().items()}
    assert labels["org.opencontainers.image.version"] == "${VERSION}"
    assert f"ARG VERSION={VERSION}\n" in TEXT
    bootstrap = (ROOT / "scripts/bootstrap").read_text(encoding="utf-8")
    (wanted,) = re.findall(r"^UV_VERSION=(\S+)$", bootstrap, re.MULTILINE)
    pinned = (ROOT / "scripts/uv.txt").read_text(encoding="utf-8")
    assert re.findall(r"^uv==(\S+)", pinned, re.MULTILINE) == [wanted]
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", pinned)) == 2


def checkout():
    """Paths of the checkout's files; environments and caches aside, which begin with a dot."""
    for folder, names, found in os.walk(ROOT):
        names[:] = [name for name in names if not name.startswith(".") and name not in {"__pycache__", "node_modules"}]
        yield from ((Path(folder) / name).relative_to(ROOT).as_posix() for name in found)


def test_the_builder_gets_what_images_are_made_of_and_nothing_else():
    sent = [path for path in checkout() if in_context(path, IGNORE)]
    assert {"pyproject.toml", "uv.lock", "scripts/uv.txt"} <= set(sent)
    assert {path.split("/")[0] for path in sent} - {"pyproject.toml", "uv.lock"} == {
        *("crds", "operator", "services", "scripts", "cli", "lab", "pulumi"),
    }
    assert sorted(path for path in sent if path.startswith(("cli/", "lab/", "pulumi/", "scripts/"))) == [
        *("cli/pyproject.toml", "lab/pyproject.toml", "pulumi/pyproject.toml", "scripts/uv.txt"),
    ]
    for path in (
        "secrets.env",
        ".env",
        ".git/config",
        "crds/ticketly_crds/__pycache__/x.pyc",
        "operator/chart/Chart.yaml",
    ):
        assert not in_context(path, IGNORE), path
