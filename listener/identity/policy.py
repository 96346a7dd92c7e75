"""Which evidence may be used where: the policy's gates and each customer's own consent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from listener.identity.identifiers import Find, veto
from listener.records import Channel, Identity, Tier


class ProofPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an author must name in a thread with the brand to be known as a customer (T1)."""

    needed: dict[Channel, int] = msgspec.field(default_factory=lambda: {"support": 1, "public": 2})
    """Channel → identifiers of one customer: in public an address alone proves nothing, since
    others know it too. A channel that is not named proves nothing."""
    patterns: tuple[str, ...] = ()
    """Regular expressions of customer and order numbers, as they stand in `external_ids`."""
    hours: float = 24.0
    """How long what is missing may follow in another message."""

    def __post_init__(self) -> None:
        for channel, count in self.needed.items():
            if count < 1:
                raise ValueError(f"needed.{channel}={count}: give 1 or more, or leave it out")
        for pattern in self.patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"patterns: {pattern} is no regular expression: {error}") from None


class LinkPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How sure each tier is, and which tiers each network allows."""

    probability: dict[Tier, float] = msgspec.field(
        default_factory=lambda: {"T0": 1.0, "T1": 0.98, "T2": 0.95}
    )
    gates: dict[str, tuple[Tier, ...]] = {}
    """Network → tiers that may be used there; a network that is not named allows all."""
    opt_in: dict[str, tuple[Tier, ...]] = msgspec.field(
        default_factory=lambda: {"x": ("T3",), "twitter": ("T3",)}
    )
    """Network → tiers that need the customer's express consent for that network: X's developer
    policy forbids matching with off-platform identifiers without an express opt-in."""
    expires_days: dict[Tier, float] = msgspec.field(
        default_factory=lambda: {"T1": 180.0, "T2": 365.0, "T3": 30.0}
    )
    """Tier → days until a link must be made anew; one that is not named holds until withdrawn."""
    probabilistic: bool = True
    """Whether T3 is used at all; if not, no names are kept in the directory."""
    known_share: float = msgspec.field(default=0.2)
    """Share of authors who are customers of the directory: the prior of T3."""
    threshold: float | None = None
    """Least probability of a T3 link; none: the one measured with the weights."""

    proof: ProofPolicy = ProofPolicy()

    def __post_init__(self) -> None:
        if not 0 < self.known_share < 1:
            raise ValueError(f"known_share={self.known_share}: give a share between 0 and 1")
        if self.threshold is not None and not 0.5 < self.threshold <= 1:
            raise ValueError(f"threshold={self.threshold}: give a probability above 0.5")


def may_look(tier: Tier, network: str, policy: LinkPolicy) -> bool:
    """Whether this evidence may be looked up for a message of this network at all."""
    gates = policy.gates.get(network)
    return gates is None or tier in gates


def consents(tier: Tier, network: str, consent: Mapping[str, bool], policy: LinkPolicy) -> bool:
    """Whether a customer may be linked so: withdrawn consent closes every tier."""
    given = consent.get(network)
    if given is False:
        return False
    return given is True or tier not in policy.opt_in.get(network, ())


def permits(
    tier: Tier, network: str, author: str, identity: Identity, find: Find, policy: LinkPolicy
) -> bool:
    """Whether this author may be linked to the customer of `identity`: the gate, the customer's
    consent, and what people said of the two."""
    if not may_look(tier, network, policy):
        return False
    if not consents(tier, network, identity.consent, policy):
        return False
    return find(veto(author), identity.customer_id) is None


def expiry(tier: Tier, policy: LinkPolicy, *, now: datetime) -> datetime | None:
    days = policy.expires_days.get(tier)
    return None if days is None else now + timedelta(days=days)
