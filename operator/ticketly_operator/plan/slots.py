"""Replication slots: lost, retaining too much, or well. Pure.

A slot is judged by itself and by the offsets its connector has stored, never by the task's state: a task may say
RUNNING over a slot that was dropped and made anew, or over the log of another server, with a gap in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from ticketly_crds.blueprint import Connector
from ticketly_crds.status import ConditionStatus, ConditionType, Reason, SlotStatus
from ticketly_operator.findings import Finding, Notice
from ticketly_operator.observed import SeenDatabase, SeenSlot

_MIB: Final = 1024 * 1024
_POSITIONS: Final = ("lsn_proc", "lsn_commit", "lsn")
"""Of a stored offset: the last change completed, the last commit, the last change begun."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen of a slot at a moment: how much log it held back, and whose log that was."""

    at: datetime
    retained_bytes: int
    system: int


@dataclass(frozen=True, slots=True)
class SlotVerdict:
    """``lost`` says why the slot's stream has a gap, empty when it has none. ``act``: the policy's limit is passed.

    ``unread``: nobody reads from it although the snapshot before is done.
    """

    status: SlotStatus | None
    lost: str = ""
    act: bool = False
    unread: bool = False
    findings: tuple[Finding, ...] = ()
    notices: tuple[Notice, ...] = ()


def judge_slot(
    wanted: Connector, seen: SeenDatabase, offsets: Mapping[str, Any] | None, before: Reading | None, now: datetime
) -> SlotVerdict:
    """Return what is known about a connector's slot.

    ``offsets``: what Connect has stored, None when nothing, or when it could not be asked. They must be read after the
    slot: a connector stores first and confirms to the slot afterwards.
    """
    stored = stored_lsn(offsets)
    if seen.slot is None:
        if stored is None:
            return SlotVerdict(None)
        return SlotVerdict(None, lost=f"slot {wanted.slot} does not exist although the connector had read from it")
    status = SlotStatus(
        name=seen.slot.name,
        active=seen.slot.active,
        wal_status=seen.slot.wal_status,
        retained_bytes=seen.slot.retained_bytes,
        confirmed_flush_lsn=lsn_text(seen.slot.confirmed_flush_lsn),
        seconds_to_full=seconds_to_full(seen.slot, before, now),
    )
    lost = _lost(wanted, seen, seen.slot, stored, before)
    if lost:
        return SlotVerdict(status, lost=lost)
    unread = not seen.slot.active and stored is not None and not (offsets or {}).get("snapshot")
    return replace(_retaining(wanted, seen.slot, status), unread=unread)


def _lost(wanted: Connector, seen: SeenDatabase, slot: SeenSlot, stored: int | None, before: Reading | None) -> str:
    """Return why changes are missing, empty when none are."""
    if slot.wal_status == "lost":
        return f"slot {wanted.slot} is lost: its log was removed by the server's limit"
    if stored is None:
        return ""
    if stored > slot.current_lsn:
        positions = f"{lsn_text(stored)}, the server is at {lsn_text(slot.current_lsn)}"
        return f"the log of {wanted.database} is another one: the connector has stored {positions}"
    if before is not None and before.system != seen.system:
        return f"the log of {wanted.database} is another one: its server has a new identity"
    if slot.confirmed_flush_lsn is not None and slot.confirmed_flush_lsn > stored:
        gap = f"{lsn_text(stored)} .. {lsn_text(slot.confirmed_flush_lsn)}"
        return f"slot {wanted.slot} begins after what the connector has stored ({gap})"
    return ""


def _retaining(wanted: Connector, seen: SeenSlot, status: SlotStatus) -> SlotVerdict:
    if seen.retained_bytes < wanted.guard.warn_bytes:
        return SlotVerdict(status)
    act = seen.retained_bytes >= wanted.guard.act_bytes
    limit = wanted.guard.act_bytes if act else wanted.guard.warn_bytes
    full = "" if status.seconds_to_full is None else f", full in {status.seconds_to_full} s at this pace"
    # the figure moves all the time; the message stays the same until a limit is passed
    message = f"slot {wanted.slot} holds back more than {limit // _MIB} MiB of log"
    finding = Finding(ConditionType.CONNECTORS_READY, ConditionStatus.FALSE, Reason.SLOT_RETAINING, message)
    notice = Notice("SlotRetaining", f"{message}{full}; policy: {wanted.guard.policy}", "Warning")
    return SlotVerdict(status, act=act, findings=(finding,), notices=(notice,))


def seconds_to_full(seen: SeenSlot, before: Reading | None, now: datetime) -> int | None:
    """Return when the server's bound on kept log is reached if it goes on like this, None when it does not grow."""
    if seen.safe_wal_bytes is None or before is None:
        return None
    seconds = (now - before.at).total_seconds()
    grown = seen.retained_bytes - before.retained_bytes
    if seconds <= 0 or grown <= 0:
        return None
    return max(0, int(seen.safe_wal_bytes * seconds / grown))


def stored_lsn(offsets: Mapping[str, Any] | None) -> int | None:
    """Return the position up to which a connector has stored its work, None when it has none.

    It confirms the position of the change it has completed, which within a large transaction is beyond the last
    commit, so the greatest of them counts.
    """
    found = []
    for key in _POSITIONS:
        try:
            found.append(int((offsets or {})[key]))
        except (KeyError, TypeError, ValueError):
            continue
    return max(found, default=None)


def lsn_text(lsn: int | None) -> str:
    """Return a position as PostgreSQL writes it: ``16/B374D848``."""
    return "" if lsn is None else f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
