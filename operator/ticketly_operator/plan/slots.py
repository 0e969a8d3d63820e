"""Replication slots: lost, retaining too much, or well. Pure.

A slot is judged by itself and by the offsets its connector has stored, never by the task's state: Debezium may say
RUNNING for a while over a slot that was dropped and made anew, and everything between is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ticketly_crds.blueprint import Connector
from ticketly_crds.status import ConditionStatus, ConditionType, Reason, SlotStatus
from ticketly_operator.findings import Finding, Notice
from ticketly_operator.observed import SeenSlot

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """How much log a slot held back at a moment."""

    at: datetime
    retained_bytes: int


@dataclass(frozen=True, slots=True)
class SlotVerdict:
    """``lost`` says why the slot's stream has a gap, empty when it has none. ``act``: the policy's limit is passed."""

    status: SlotStatus | None
    lost: str = ""
    act: bool = False
    findings: tuple[Finding, ...] = ()
    notices: tuple[Notice, ...] = ()


def judge_slot(
    wanted: Connector, seen: SeenSlot | None, offsets: Mapping[str, Any] | None, before: Reading | None, now: datetime
) -> SlotVerdict:
    """Return what is known about a connector's slot. ``offsets``: what Connect has stored, None when nothing."""
    stored = stored_lsn(offsets)
    if seen is None:
        if stored is None:
            return SlotVerdict(None)
        return SlotVerdict(None, lost=f"slot {wanted.slot} does not exist although the connector had read from it")
    status = SlotStatus(
        name=seen.name,
        active=seen.active,
        wal_status=seen.wal_status,
        retained_bytes=seen.retained_bytes,
        confirmed_flush_lsn=lsn_text(seen.confirmed_flush_lsn),
        seconds_to_full=seconds_to_full(seen, before, now),
    )
    if seen.wal_status == "lost":
        return SlotVerdict(status, lost=f"slot {wanted.slot} is lost: its log was removed by the server's limit")
    if stored is not None and seen.confirmed_flush_lsn is not None and seen.confirmed_flush_lsn > stored:
        gap = f"{lsn_text(stored)} .. {lsn_text(seen.confirmed_flush_lsn)}"
        return SlotVerdict(status, lost=f"slot {wanted.slot} begins after what the connector has stored ({gap})")
    return _retaining(wanted, seen, status)


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
    """Return the position up to which a connector has stored its work, None when it has none."""
    if not offsets:
        return None
    # during the snapshot the position is where the stream will begin; nothing of the slot is confirmed beyond it
    value = offsets.get("lsn_commit", offsets.get("lsn_proc", offsets.get("lsn")))
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None


def lsn_text(lsn: int | None) -> str:
    """Return a position as PostgreSQL writes it: ``16/B374D848``."""
    return "" if lsn is None else f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
