"""Pins, project files, and the check of what was downloaded."""

from __future__ import annotations

import hashlib
import re
from xml.etree import ElementTree

import pytest

from ticketly_cli.errors import CliError
from ticketly_cli.local import maven, versions
from ticketly_cli.local.versions import Tool, parse_coordinates

POM = "{http://maven.apache.org/POM/4.0.0}"


def test_every_archive_is_pinned_by_its_sum():
    for tool in versions.load_versions().tools.values():
        assert tool.archives
        for archive in tool.archives:
            assert re.fullmatch(r"[0-9a-f]{64}", archive.sha256), archive


def test_every_root_is_among_the_archives_of_its_tool():
    for tool in versions.load_versions().tools.values():
        names = {archive.file_name for archive in tool.archives}
        assert {root.file_name for root in tool.roots} <= names


def test_coordinates_give_the_file_name():
    found = parse_coordinates("io.debezium:debezium-connector-postgres:tar.gz:plugin:3.7.0.Final")
    assert found.file_name == "debezium-connector-postgres-3.7.0.Final-plugin.tar.gz"


@pytest.mark.parametrize("text", ["", "a:b:1", "a:b:jar:c:1:2", "a::jar:1"])
def test_other_texts_are_no_coordinates(text):
    with pytest.raises(ValueError, match="not Maven coordinates"):
        parse_coordinates(text)


def test_a_machine_without_a_build_is_told_so():
    content = {"tools": {"dependency_plugin": "1"}, "x": {"version": "1", "archives": {"x86_64": {"a:b:jar:1": "0"}}}}
    with pytest.raises(CliError, match="no pinned x for riscv64") as raised:
        versions.parse_versions(content, "riscv64")
    assert raised.value.exit_code == 4


def test_the_key_follows_the_sums():
    first = Tool("t", "1", (parse_coordinates("a:b:jar:1", "0" * 64),), ())
    second = Tool("t", "1", (parse_coordinates("a:b:jar:1", "1" * 64),), ())
    assert first.key != second.key


def test_jars_with_dependencies_are_resolved_and_archives_copied(tmp_path):
    root = parse_coordinates("g:a:jar:1", "0" * 64)
    archive = parse_coordinates("g:b:tar.gz:plugin:2", "0" * 64)
    files = maven.project_files(
        [Tool("one", "1", (root,), (root,)), Tool("two", "2", (archive,), ())], "3.8.1", tmp_path
    )
    assert files.keys() == {"pom.xml", "one/pom.xml", "two/pom.xml"}
    one = ElementTree.fromstring(files["one/pom.xml"])  # noqa: S314 - made here
    two = ElementTree.fromstring(files["two/pom.xml"])  # noqa: S314 - made here
    assert one.findtext(f".//{POM}goal") == "copy-dependencies"
    assert one.findtext(f"{POM}dependencies/{POM}dependency/{POM}artifactId") == "a"
    assert two.findtext(f".//{POM}goal") == "copy"
    assert two.findtext(f".//{POM}artifactItem/{POM}classifier") == "plugin"


@pytest.fixture
def downloaded(tmp_path):
    (tmp_path / "b-1.jar").write_bytes(b"content")
    good = hashlib.sha256(b"content").hexdigest()
    return Tool("t", "1", (parse_coordinates("a:b:jar:1", good),), ()), tmp_path


def test_the_pinned_files_pass(downloaded):
    maven.verify(*downloaded)


def test_an_exchanged_file_is_refused_by_name(downloaded):
    tool, folder = downloaded
    (folder / "b-1.jar").write_bytes(b"other")
    with pytest.raises(CliError, match=r"t file b-1\.jar does not have the pinned SHA-256"):
        maven.verify(tool, folder)


def test_a_missing_file_is_refused(downloaded):
    tool, folder = downloaded
    (folder / "b-1.jar").unlink()
    with pytest.raises(CliError, match="is missing from the download"):
        maven.verify(tool, folder)


def test_an_additional_file_is_refused(downloaded):
    tool, folder = downloaded
    (folder / "c-1.jar").write_bytes(b"")
    with pytest.raises(CliError, match=r"c-1\.jar is not among the pinned files"):
        maven.verify(tool, folder)


def test_mavens_first_error_is_shown_without_its_markers():
    output = "[INFO] x\n[ERROR] Failed to execute goal: no route\n[ERROR] more\n"
    assert maven.first_error(output) == "Failed to execute goal: no route"
    assert maven.first_error("") == "no message"
