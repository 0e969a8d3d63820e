"""kafka topics, kafka lag, kafka peek, connectors: ask the stores, put the views together."""

from __future__ import annotations

import asyncio

from ticketly_cli.cluster import brokers, capture, connector_views, lag_views, positions, stores, topic_views
from ticketly_cli.cluster.connector_views import ConnectorList
from ticketly_cli.cluster.lag_views import LagReport
from ticketly_cli.cluster.peeking import Peek
from ticketly_cli.cluster.stores import Wanted
from ticketly_cli.cluster.topic_views import TopicList
from ticketly_cli.errors import CliError, ExitCode
from ticketly_cli.printing import Terminal


def topics(wanted: Wanted, shown: Terminal) -> TopicList:
    """Topics beside what the blueprint wants. Raises CliError."""
    found = stores.find(wanted)
    access = found.need_kafka()

    async def ask() -> TopicList:
        seen = await brokers.topics(access)
        spans = await brokers.offsets(access, [(each.name, n) for each in seen for n in range(each.partitions)])
        blueprint = found.blueprint.topics if found.blueprint else None
        rows = topic_views.compare(seen, spans, blueprint)
        return TopicList(rows, blueprint is not None, access.bootstrap_servers)

    with shown.step(f"Asking Kafka at {access.bootstrap_servers}"):
        return asyncio.run(ask())


def lag(wanted: Wanted, shown: Terminal) -> LagReport:
    """Groups and projections with their distance to the end of the log. Raises CliError."""
    found = stores.find(wanted)
    access = found.need_kafka()

    async def ask() -> LagReport:
        groups = await brokers.groups(access)
        projections = await positions.read(found.local) if found.blueprint is not None else []
        read = {where for group in groups for where in group.committed}
        read |= {where for each in projections for where in each.positions or ()}
        spans = await brokers.offsets(access, read)
        readers = [*lag_views.of_projections(projections, spans), *lag_views.of_groups(groups, spans)]
        return LagReport(readers, verbose=shown.verbosity > 0)

    with shown.step(f"Asking Kafka at {access.bootstrap_servers}"):
        return asyncio.run(ask())


def peek(wanted: Wanted, topic: str, count: int, partition: int | None, shown: Terminal) -> Peek:
    """The newest records of a topic. Raises CliError."""
    access = stores.find(wanted).need_kafka()
    with shown.step(f"Reading from Kafka at {access.bootstrap_servers}"):
        return Peek(topic, asyncio.run(brokers.last_records(access, topic, count, partition)))


def connectors(wanted: Wanted, shown: Terminal) -> ConnectorList:
    """Connectors, tasks and slots; what the operator tells, where Connect cannot be reached. Raises CliError."""
    found = stores.find(wanted)
    url = found.need_connect()
    told = ((found.live or {}).get("status") or {}).get("connectors") or []
    try:
        with shown.step(f"Asking Kafka Connect at {capture.shown_address(url)}"):
            seen = capture.connectors(url)
    except CliError as error:
        if not told or error.exit_code != ExitCode.UNREACHABLE:
            raise
        shown.warning(f"{error.message} This is what the operator tells.")
        return ConnectorList(connector_views.from_status(told), (), capture.shown_address(url))
    slots = capture.slots_here(found.local) if found.local is not None else {}
    complete = connector_views.completed(seen, slots, told)
    expected = [each.name for each in found.blueprint.connectors] if found.blueprint else []
    missing = [name for name in expected if name not in {each.name for each in complete}]
    return ConnectorList(complete, missing, capture.shown_address(url))
