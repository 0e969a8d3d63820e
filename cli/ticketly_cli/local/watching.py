"""Shows what `lifecycle` reports on a terminal's board."""

from __future__ import annotations

from dataclasses import dataclass

from ticketly_cli.local import views
from ticketly_cli.local.control import Report
from ticketly_cli.printing import Board


@dataclass(frozen=True, slots=True)
class BoardWatcher:
    """A `lifecycle.Watcher`."""

    board: Board

    def say(self, text: str) -> None:
        self.board.say(text)

    def show(self, report: Report) -> None:
        self.board.show(views.board_rows(report))
