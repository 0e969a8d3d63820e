"""Objects as YAML that people read: keys in the order they were made, lists indented, one document after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml


class _Indented(yaml.SafeDumper):
    """Lists stand two further right than their key, as in most manifests; nothing is an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def document(content: Mapping[str, Any]) -> str:
    return yaml.dump(dict(content), Dumper=_Indented, sort_keys=False, width=120, allow_unicode=True)


def documents(contents: Iterable[Mapping[str, Any]]) -> str:
    return "---\n".join(document(content) for content in contents)
