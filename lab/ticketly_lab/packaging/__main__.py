"""`python -m ticketly_lab.packaging`: write what an administrator installs; `--check` compares instead."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from ticketly_lab.packaging.artefacts import CHART, COMPOSE, GUIDE, artefacts

ROOT = Path(__file__).resolve().parents[3]
"""Of the checkout: nothing of this is installed."""


def definition() -> Mapping[str, Any]:
    """The CustomResourceDefinition that ticketly_crds carries."""
    text = resources.files("ticketly_crds").joinpath("ticketlyplatform.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = yaml.safe_load(text)
    return found


def differing(root: Path = ROOT) -> dict[str, str]:
    """What would be written over something else, and as empty text what should not be there, by path."""
    wanted = artefacts(definition(), (root / GUIDE).read_text(encoding="utf-8"))
    folders = (CHART, COMPOSE)
    there = {
        path.relative_to(root).as_posix() for each in folders for path in (root / each).rglob("*") if path.is_file()
    }
    found = dict.fromkeys(sorted(there - wanted.keys()), "")
    for path, text in wanted.items():
        file = root / path
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            found[path] = text
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ticketly_lab.packaging", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when something would change")
    options = parser.parse_args()
    found = differing()
    for path, text in found.items():
        file = ROOT / path
        sys.stdout.write(f"{path}\n")
        if options.check:
            continue
        if text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        else:
            file.unlink()
    return 1 if found and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
