"""T3: the customer whom an author most probably is, by handle, display name and the like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from listener.identity.blocking import blocks_for
from listener.identity.compare import (
    CLASH,
    FIELDS,
    FULL,
    INITIAL,
    MISSING,
    SURNAME,
    Pattern,
    compare,
)
from listener.identity.names import Commonness
from listener.identity.policy import LinkPolicy
from listener.identity.weights import Scored, Weights, rate
from listener.records import Author, Profile

MOST: Final = 32
"""Customers that one author is compared with."""


class Blocks(Protocol):
    """Called for every author whom no exact evidence links; memory only, may not block."""

    def similar(self, blocks: Sequence[str], *, most: int) -> Sequence[tuple[str, Profile]]: ...

    def count(self, block: str) -> int: ...

    def willing(self, network: str) -> bool: ...

    @property
    def profiles(self) -> int: ...


class Guess(NamedTuple):
    """The likeliest customer."""

    customer_id: str
    probability: float
    evidence: tuple[str, ...]


Guesser = Callable[[str, Author], Guess | None]
_WORDS: Final = {
    ("called", CLASH): "other given name",
    ("called", SURNAME): "surname",
    ("called", INITIAL): "initial and surname",
    ("called", FULL): "name",
    ("echo", 1): "name spelt alike in handles",
    ("short", 1): "surname spelt alike in handles",
    ("echo", 2): "name and number alike in handles",
    ("short", 2): "surname and number alike in handles",
    ("handle", 1): "similar handle",
    ("handle", 2): "same letters in handles",
    ("handle", 3): "same handle elsewhere",
    ("place", 1): "place",
    ("domain", 1): "domain like the name",
    ("domain", 2): "domain",
}


def compared(network: str, author: Author, blocks: Blocks) -> list[tuple[str, Pattern]]:
    """Every customer worth comparing, and how they agree."""
    found = blocks.similar(blocks_for(author), most=MOST)
    patterns = ((customer, compare(network, author, profile)) for customer, profile in found)
    return [(customer, pattern) for customer, pattern in patterns if pattern is not None]


def ranked(
    network: str, author: Author, blocks: Blocks, weights: Weights, *, share: float
) -> list[Scored]:
    """Those customers, likeliest first."""
    common = Commonness(blocks.count, blocks.profiles)
    return rate(compared(network, author, blocks), weights, common, share=share)


def guesser(blocks: Blocks, weights: Weights, policy: LinkPolicy) -> Guesser:
    """Guesses at or above the policy's threshold; that of the weights where it has none.

    Where a network needs express consent and no customer gave it, nobody is compared at all.
    """
    least = weights.threshold if policy.threshold is None else policy.threshold
    asked = {network for network, tiers in policy.opt_in.items() if "T3" in tiers}

    def guess(network: str, author: Author) -> Guess | None:
        if network in asked and not blocks.willing(network):
            return None
        found = ranked(network, author, blocks, weights, share=policy.known_share)
        best = found[0] if found else None
        if best is None or best.probability < least:
            return None
        return Guess(best.customer_id, round(best.probability, 4), shown(best))

    return guess


def shown(scored: Scored) -> tuple[str, ...]:
    """What agreed, in words: no name and no handle of the customer."""
    levels = zip(FIELDS, scored.pattern.levels, strict=True)
    return tuple(_WORDS[pair] for pair in levels if pair[1] != MISSING and pair in _WORDS)
