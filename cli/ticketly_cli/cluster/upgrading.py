"""`crd upgrade`: compare, ask, apply."""

from __future__ import annotations

from ticketly_cli.cluster import asking, definition
from ticketly_cli.cluster.connection import Api
from ticketly_cli.cluster.definitions import DefinitionReport
from ticketly_cli.printing import Terminal


def check(api: Api) -> DefinitionReport:
    """What an upgrade would change."""
    found = definition.live(api)
    definition.refuse_downgrade(found)
    return definition.compared(api, found)


def upgrade(api: Api, shown: Terminal, *, yes: bool) -> DefinitionReport:
    """Apply ours. Raises CliError when it would lose stored versions, or breaks something and nobody agreed."""
    report = check(api)
    if report.installed and not report.changes:
        return report
    if any(each.breaking for each in report.changes):
        shown.show(report.to_view())
        asking.confirm(shown, "Platforms that exist may be refused afterwards. Go on?", yes=yes)
    with shown.step("Applying the definition"):
        definition.apply(api)
    return DefinitionReport(report.context, report.installed, report.changes, applied=True)
