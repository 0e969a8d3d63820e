"""Whoever does not lead reads as before and changes nothing outside."""

from __future__ import annotations

import inspect

import pytest

from ticketly_operator.clients.connect import ConnectRest
from ticketly_operator.clients.fence import BROKER_WRITES, CONNECT_WRITES, DATABASE_WRITES, fenced
from ticketly_operator.clients.kafka import KafkaBrokers
from ticketly_operator.clients.postgres import PostgresSlots
from ticketly_operator.errors import FencedError
from ticketly_operator.reconcile import ports

READS = {
    ports.Connect: {"connector", "offsets"},
    ports.Brokers: {"topics"},
    ports.Databases: {"slot", "look"},
}


class Connect:
    def __init__(self):
        self.calls = []

    async def __aenter__(self):
        self.calls.append("enter")
        return self

    async def __aexit__(self, *_):
        self.calls.append("exit")

    async def connector(self, name):
        self.calls.append(f"connector {name}")

    async def delete(self, name):
        self.calls.append(f"delete {name}")


async def test_a_write_is_refused_from_the_moment_the_fence_closes():
    client, open_ = Connect(), [True]
    async with fenced(client, CONNECT_WRITES, lambda: open_[0]) as connect:
        await connect.delete("a")
        open_[0] = False
        await connect.connector("a")
        with pytest.raises(FencedError, match="does not hold the lease"):
            await connect.delete("b")
    assert client.calls == ["enter", "delete a", "connector a", "exit"]


@pytest.mark.parametrize(
    ("port", "adapter", "writes"),
    [
        (ports.Connect, ConnectRest, CONNECT_WRITES),
        (ports.Brokers, KafkaBrokers, BROKER_WRITES),
        (ports.Databases, PostgresSlots, DATABASE_WRITES),
    ],
)
def test_every_method_of_a_port_is_known_to_read_or_to_write(port, adapter, writes):
    def methods(where):
        return {name for name, _ in inspect.getmembers(where, inspect.isfunction) if not name.startswith("_")}

    assert methods(port) == writes | (methods(port) & READS[port])
    assert writes <= methods(adapter)
