"""Configuration: whatever is wrong is named by its key, all of it at once, before anything exists."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketly_infra import addresses
from ticketly_infra.config import PROFILES, ConfigError, load

GOOD = {"profile": "prod", "domain": "tickets.example.com", "alarmEmail": "ops@example.com"}


def faults(values: dict, stack: str = "prod", region: str = "ap-south-1") -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(stack, values, region)
    return caught.value.faults


def network(**values: object) -> dict:
    return {**GOOD, "network": json.dumps(values)}


def test_the_smallest_configuration_of_each_profile_is_enough():
    assert set(PROFILES) == {"dev", "prod"}
    prod = load("prod", GOOD)
    dev = load("dev", {"profile": "dev", "domain": "dev.example.com"})
    assert (prod.region, dev.region) == ("ap-south-1", "ap-south-1")
    assert (prod.database.multi_az, dev.database.multi_az) == (True, False)
    assert (prod.network.nat_gateways, dev.network.nat_gateways) == ("perZone", "one")
    assert prod.protect
    assert dev.protect


def test_the_address_plan_is_three_zones_of_20_bit_blocks():
    plan = load("prod", GOOD).network.plan
    assert [str(block) for block in plan.public] == ["10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20"]
    assert [str(block) for block in plan.private] == ["10.0.48.0/20", "10.0.64.0/20", "10.0.80.0/20"]
    assert load("prod", GOOD).zones == ("ap-south-1a", "ap-south-1b", "ap-south-1c")


def test_a_missing_domain_and_an_unknown_profile_are_told_together():
    assert faults({"profile": "staging"}) == (
        "ticketly:profile: unknown: 'staging'; one of dev, prod",
        "ticketly:domain: required",
    )
    assert faults({"domain": "x.example.com"})[0] == "ticketly:profile: required: one of dev, prod"


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"zones": ["a", "b"]}, "ticketly:network.zones: must name 3 zones, got 2"),
        ({"zones": ["a", "b", "b"]}, "ticketly:network.zones: must be distinct, got a, b, b"),
        ({"cidr": "10.0.0.0/8"}, "ticketly:network.cidr: must be between /16 and /28, got 10.0.0.0/8"),
        ({"cidr": "8.8.0.0/16"}, "ticketly:network.cidr: must be a private block (RFC 1918), got 8.8.0.0/16"),
        ({"cidr": "10.0.0.1/16"}, "ticketly:network.cidr: "),
        (
            {"cidr": "10.42.0.0/16"},
            "ticketly:network.cidr: 10.42.0.0/16 overlaps 10.42.0.0/16, the pods of the cluster (k3s)",
        ),
        (
            {"reservedCidrs": ["10.0.128.0/17"]},
            "ticketly:network.cidr: 10.0.0.0/16 overlaps 10.0.128.0/17, one of network.reservedCidrs",
        ),
        (
            {"publicSubnets": ["10.0.0.0/20", "10.0.8.0/21", "10.0.32.0/20"]},
            "ticketly:network.publicSubnets[1]: 10.0.8.0/21 overlaps 10.0.0.0/20 of publicSubnets[0]",
        ),
        (
            {"privateSubnets": ["10.0.0.0/20", "10.0.64.0/20", "10.0.80.0/20"]},
            "ticketly:network.privateSubnets[0]: 10.0.0.0/20 overlaps 10.0.0.0/20 of publicSubnets[0]",
        ),
        (
            {"privateSubnets": ["10.1.0.0/20", "10.0.64.0/20", "10.0.80.0/20"]},
            "ticketly:network.privateSubnets[0]: 10.1.0.0/20 is not inside 10.0.0.0/16",
        ),
        (
            {"privateSubnets": ["10.0.48.0/20", "10.0.64.0/20"]},
            "ticketly:network.privateSubnets: must be 3 blocks, one for each zone, got 2",
        ),
        (
            {"cidr": "10.0.0.0/18"},
            "ticketly:network.privateSubnets: must be 3 blocks, one for each zone, got 1; 10.0.0.0/18 is too small",
        ),
        ({"nat": "one"}, "ticketly:network.nat: unknown key"),
        ({"natGateways": "two"}, "ticketly:network.natGateways: "),
    ],
)
def test_a_network_that_would_not_work_is_refused_by_its_key(values, fault):
    assert any(one.startswith(fault) for one in faults(network(**values)))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"domain": "Example.com"}, "ticketly:domain: must be a domain name in lower case"),
        ({"domain": "localhost"}, "ticketly:domain: must be a domain name"),
        ({"alarmEmail": ""}, "ticketly:alarmEmail: required with profile prod"),
        ({"alarmEmail": "nobody"}, "ticketly:alarmEmail"),
        ({"colour": "red"}, "ticketly:colour: unknown key"),
        ({"stack": "other"}, "ticketly:stack: unknown key"),
        ({"database": "large"}, "ticketly:database: must be an object or a list"),
        ({"database": '{"multiAz": false}'}, "ticketly:database.multiAz: must be true with profile prod"),
        ({"database": '{"storageGib": 4}'}, "ticketly:database.storageGib: "),
        (
            {"database": '{"storageGib": 200, "maxStorageGib": 100}'},
            "ticketly:database.maxStorageGib: must be >= database.storageGib (200)",
        ),
        (
            {"database": '{"storageGib": 20, "slotWalKeepMib": 20480}'},
            "ticketly:database.slotWalKeepMib: must be at most half of the storage (10240)",
        ),
        ({"cluster": '{"minNodes": 5, "maxNodes": 4}'}, "ticketly:cluster.maxNodes: must be >= cluster.minNodes (5)"),
        (
            {"cluster": '{"publicAccessCidrs": ["0.0.0.0/0"]}'},
            "ticketly:cluster.publicAccessCidrs[0]: must not be wider than /16, got 0.0.0.0/0",
        ),
        ({"identity": '{"adminCidrs": ["0.0.0.0/0"]}'}, "ticketly:identity.adminCidrs[0]: must not be wider than /16"),
        ({"webOrigins": '["http://x.example.com"]'}, "ticketly:webOrigins[0]: "),
        ({"tags": '{"Stack": "mine"}'}, "ticketly:tags.Stack: is set by the program"),
        ({"protect": "perhaps"}, "ticketly:protect: "),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(values, fault):
    assert any(one.startswith(fault) for one in faults({**GOOD, **values}))


def test_stack_and_region_are_checked_too():
    assert faults(GOOD, stack="My_Stack")[0].startswith("stack 'My_Stack': its name must be")
    assert faults(GOOD, region="mumbai") == ("aws:region: 'mumbai' is not a region such as ap-south-1",)


def test_a_given_key_replaces_the_profile_s_and_leaves_its_neighbours():
    dev = load("dev", {"profile": "dev", "domain": "d.example.com", "database": '{"multiAz": true}'})
    assert (dev.database.multi_az, dev.database.instance_class) == (True, "db.t4g.medium")


def test_texts_of_the_configuration_file_become_values():
    found = load("prod", {**GOOD, "protect": "false", "monthlyBudgetUsd": "900", "tags": '{"Owner": "shop"}'})
    assert (found.protect, found.monthly_budget_usd, found.tags) == (False, 900, {"Owner": "shop"})


@given(st.integers(0, 255), st.integers(16, 22))
def test_a_computed_plan_is_either_sound_or_named(second, prefix):
    vpc = addresses.IPv4Network(f"10.{second}.0.0/{prefix}")
    public, private = addresses.default_subnets(vpc)
    found = list(addresses.faults(addresses.Plan(vpc, public, private), ("a", "b", "c")))
    fits = prefix <= 17
    touches = second in {42, 43}
    assert (not found) == (fits and not touches)
    blocks = [*public, *private]
    assert all(not one.overlaps(other) for place, one in enumerate(blocks) for other in blocks[:place])
