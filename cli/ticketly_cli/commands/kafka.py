"""`ticketly kafka`: what people open a Kafka UI for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ticketly_cli.commands.cluster_options import Kubeconfig, LongNamespace, OtherContext, PlatformName, choice
from ticketly_cli.printing import terminal
from ticketly_cli.results import Result

if TYPE_CHECKING:
    from ticketly_cli.cluster.stores import Wanted

File: TypeAlias = Annotated[
    Path | None, typer.Option("--file", "-f", metavar="FILE", help="The Kafka of this platform file.")
]
BootstrapServers: TypeAlias = Annotated[
    str, typer.Option("--bootstrap-servers", metavar="HOST:PORT,...", help="Where Kafka is, whatever a platform says.")
]


def register(app: typer.Typer) -> None:
    """Add `ticketly kafka` and its commands."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    group.callback()(_kafka)
    group.command("topics")(topics)
    group.command("lag")(lag)
    group.command("peek")(peek)
    app.add_typer(group, name="kafka")


def _kafka() -> None:
    """Look at Kafka: topics, how far readers are behind, records. Nothing is changed and no group is joined.

    Without further options it is the Kafka of the platform on this machine; with --context that of a platform in a
    cluster, whose credentials are read from its Secret.

    \b
    Examples:
      ticketly kafka topics --output json
      ticketly kafka lag -v
      ticketly kafka peek ticketly.order.created --last 3
    """


def _wanted(
    file: Path | None, servers: str, context: str, kubeconfig: Path | None, namespace: str, platform: str
) -> Wanted:
    from ticketly_cli.cluster.stores import Wanted

    return Wanted(file, servers, "", choice(context, kubeconfig, namespace), platform)


def topics(
    file: File = None,
    bootstrap_servers: BootstrapServers = "",
    platform: PlatformName = "",
    namespace: LongNamespace = "",
    context: OtherContext = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Show topics with partitions, replicas and offsets, and where they differ from what the platform wants.

    `offsets` counts from the first offset that is there to the next one; compaction leaves fewer records than that.

    \b
    Examples:
      ticketly kafka topics
      ticketly kafka topics --context prod --bootstrap-servers localhost:9092
      ticketly kafka topics -f platform.yaml -o json
    """
    from ticketly_cli.cluster import kafka_commands

    return kafka_commands.topics(_wanted(file, bootstrap_servers, context, kubeconfig, namespace, platform), terminal())


def lag(
    file: File = None,
    bootstrap_servers: BootstrapServers = "",
    platform: PlatformName = "",
    namespace: LongNamespace = "",
    context: OtherContext = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Show how far every reader is behind the end of the log.

    The platform's projections keep their positions in the store they fill (PostgreSQL, MongoDB), not in Kafka; they are
    read there for the platform on this machine. Consumer groups are those that Kafka knows.

    \b
    Examples:
      ticketly kafka lag
      ticketly kafka lag -v -o json
    """
    from ticketly_cli.cluster import kafka_commands

    return kafka_commands.lag(_wanted(file, bootstrap_servers, context, kubeconfig, namespace, platform), terminal())


def peek(
    topic: Annotated[str, typer.Argument(help="As `ticketly kafka topics` names it.")],
    last: Annotated[int, typer.Option("--last", "-l", min=1, max=1000, help="How many of the newest records.")] = 10,
    partition: Annotated[int | None, typer.Option("--partition", min=0, help="This partition only.")] = None,
    file: File = None,
    bootstrap_servers: BootstrapServers = "",
    platform: PlatformName = "",
    namespace: LongNamespace = "",
    context: OtherContext = "",
    kubeconfig: Kubeconfig = None,
) -> Result:
    """Show the newest records of a topic with their headers, oldest first.

    JSON is laid out, other text is shown as it is, bytes as hexadecimal. Personal data of buyers may be among it.

    \b
    Examples:
      ticketly kafka peek ticketly.order.created
      ticketly kafka peek dbz.ticketly.public.events --last 1 -o json
    """
    from ticketly_cli.cluster import kafka_commands

    wanted = _wanted(file, bootstrap_servers, context, kubeconfig, namespace, platform)
    return kafka_commands.peek(wanted, topic, last, partition, terminal())
