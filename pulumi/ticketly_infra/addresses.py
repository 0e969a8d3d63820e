"""The address plan of the network: which blocks, in which zones, and what they must not touch. Pure.

Three zones, because Kafka, the document store and Multi-AZ databases need three to survive the loss of one. Blocks of
the cluster's pods and services are kept out: a VPC that overlaps them routes packets of pods to nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final

ZONES: Final = 3
SUBNET_PREFIX: Final = 20
"""4,091 usable addresses for each subnet: the VPC CNI gives every pod one."""

CLUSTER_BLOCKS: Final = {
    "services of the cluster (EKS)": IPv4Network("172.20.0.0/16"),
    "pods of the cluster (k3s)": IPv4Network("10.42.0.0/16"),
    "services of the cluster (k3s)": IPv4Network("10.43.0.0/16"),
}
_LARGEST, _SMALLEST = 16, 28
"""AWS takes no larger VPC or subnet and no smaller one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Blocks by zone: `public[i]` and `private[i]` lie in the same zone."""

    vpc: IPv4Network
    public: tuple[IPv4Network, ...]
    private: tuple[IPv4Network, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the plan; `key` is the part of the configuration below `network`."""

    key: str
    message: str


def default_subnets(vpc: IPv4Network) -> tuple[tuple[IPv4Network, ...], tuple[IPv4Network, ...]]:
    """Public and private /20 blocks from the start of the VPC; fewer than six when it is too small for them."""
    if vpc.prefixlen > SUBNET_PREFIX:
        return (), ()
    blocks = []
    for block in vpc.subnets(new_prefix=SUBNET_PREFIX):
        blocks.append(block)
        if len(blocks) == 2 * ZONES:
            break
    return tuple(blocks[:ZONES]), tuple(blocks[ZONES:])


def faults(plan: Plan, zones: Sequence[str], reserved: Sequence[IPv4Network] = ()) -> Iterator[Fault]:
    """Everything that is wrong, each named by its key."""
    if len(zones) != ZONES:
        yield Fault("zones", f"must name {ZONES} zones, got {len(zones)}")
    if len(set(zones)) != len(zones):
        yield Fault("zones", f"must be distinct, got {', '.join(zones)}")
    if not _LARGEST <= plan.vpc.prefixlen <= _SMALLEST:
        yield Fault("cidr", f"must be between /{_LARGEST} and /{_SMALLEST}, got {plan.vpc}")
    if not plan.vpc.is_private:
        yield Fault("cidr", f"must be a private block (RFC 1918), got {plan.vpc}")
    for name, block in CLUSTER_BLOCKS.items():
        if plan.vpc.overlaps(block):
            yield Fault("cidr", f"{plan.vpc} overlaps {block}, the {name}")
    for block in reserved:
        if plan.vpc.overlaps(block):
            yield Fault("cidr", f"{plan.vpc} overlaps {block}, one of network.reservedCidrs")
    yield from _subnet_faults(plan)


def _subnet_faults(plan: Plan) -> Iterator[Fault]:
    seen: list[tuple[str, IPv4Network]] = []
    for key, blocks in (("publicSubnets", plan.public), ("privateSubnets", plan.private)):
        if len(blocks) != ZONES:
            hint = f"; {plan.vpc} is too small for six /{SUBNET_PREFIX}" if len(blocks) < ZONES else ""
            yield Fault(key, f"must be {ZONES} blocks, one for each zone, got {len(blocks)}{hint}")
        for number, block in enumerate(blocks):
            name = f"{key}[{number}]"
            if not block.subnet_of(plan.vpc):
                yield Fault(name, f"{block} is not inside {plan.vpc}")
            if not _LARGEST <= block.prefixlen <= _SMALLEST:
                yield Fault(name, f"must be between /{_LARGEST} and /{_SMALLEST}, got {block}")
            for other, taken in seen:
                if block.overlaps(taken):
                    yield Fault(name, f"{block} overlaps {taken} of {other}")
            seen.append((name, block))
