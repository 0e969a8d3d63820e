"""Who tries which seats in which round. Pure: the same seed gives the same race."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

BASKET_ROUNDS = 16
"""Rounds of a race with baskets."""

GIVE_BACK_SHARE = 0.5
"""With baskets, this share of the open orders is given back in every round, while the others ask."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Buyer number `buyer` (from 0) asks for `seats`."""

    buyer: int
    seats: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RacePlan:
    """Rounds of attempts; all attempts of a round start together, in the order given."""

    rounds: tuple[tuple[Attempt, ...], ...]
    gives_back: bool

    @property
    def attempts(self) -> int:
        return sum(len(attempts) for attempts in self.rounds)


def plan_race(seed: int, buyers: int, seats: Sequence[str], basket: int) -> RacePlan:
    """With a basket of one: a round per seat, everybody wants that seat. With more: every buyer wants a random basket
    in every round, so that baskets overlap. Buyers start in a new order each round: nobody is always first.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    order = list(range(buyers))
    rounds: list[tuple[Attempt, ...]] = []
    for number in range(len(seats) if basket == 1 else BASKET_ROUNDS):
        chance.shuffle(order)
        if basket == 1:
            rounds.append(tuple(Attempt(buyer, (seats[number],)) for buyer in order))
        else:
            rounds.append(tuple(Attempt(buyer, tuple(chance.sample(list(seats), basket))) for buyer in order))
    return RacePlan(tuple(rounds), gives_back=basket > 1)


def choose_returns(seed: int, round_number: int, order_ids: Sequence[str]) -> list[str]:
    """The open orders to give back in a round of a basket race."""
    chance = random.Random(f"{seed}/{round_number}")  # noqa: S311 - repeatable on purpose
    return [order_id for order_id in order_ids if chance.random() < GIVE_BACK_SHARE]
