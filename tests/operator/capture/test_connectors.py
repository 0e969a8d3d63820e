"""Connectors on a real Kafka Connect with Debezium."""

from __future__ import annotations

from ticketly_crds import names


async def test_connectors_are_put_once_and_rows_arrive(bench):
    await bench.until_running()
    await bench.until_streaming()
    puts = {path: count for (method, path), count in bench.front.writes().items() if method == "PUT"}
    assert puts == {f"/connectors/{name}/config": 1 for name in (names.EVENT_CONNECTOR, names.OUTBOX_CONNECTOR)}
    organization = await bench.add_organization()
    row = await bench.arrived(organization)
    assert row["after"]["name"] == "Harbour"
    bench.front.seen.clear()
    for _ in range(5):
        await bench.step()
    assert bench.front.writes() == {}
