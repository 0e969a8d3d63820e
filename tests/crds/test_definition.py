"""The resource definition is what the models say, and nothing else."""

from __future__ import annotations

from importlib import resources

from ticketly_crds import schema

FILE = "crds/ticketly_crds/ticketlyplatform.yaml"


def test_the_kept_definition_is_what_the_models_give() -> None:
    kept = resources.files("ticketly_crds").joinpath("ticketlyplatform.yaml").read_text(encoding="utf-8")
    assert kept == schema.text(), f"write it anew: .venv/bin/{schema.COMMAND} > {FILE}"
