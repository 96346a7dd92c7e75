"""Exact linking, strongest evidence first (definitions §2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from listener.identity.identifiers import domain, email, external, handle, phone
from listener.records import Identity, Link, Mention, Standing, Tier

Find = Callable[[str], Identity | None]


class LinkPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How sure each tier is, and which tiers each network allows."""

    probability: dict[Tier, float] = msgspec.field(
        default_factory=lambda: {"T0": 1.0, "T1": 0.98, "T2": 0.95}
    )
    gates: dict[str, tuple[Tier, ...]] = {}
    """Network → tiers that may be used there; a network that is not named allows all."""


class _Clue(NamedTuple):
    tier: Tier
    basis: str
    identifier: str


def link(mention: Mention, find: Find, policy: LinkPolicy) -> tuple[Link, Standing | None]:
    """The link of a mention and what the directory says of that customer.

    The brand's own messages and authors who opted out are never linked.
    """
    if mention.from_brand or mention.author.opted_out:
        return Link(), None
    for clue in _clues(mention):
        identity = find(clue.identifier) if _allowed(clue.tier, mention, policy) else None
        if identity is not None:
            return _found(clue, identity, policy), identity.standing
    return Link(), None


def subject_of(mention: Mention, link: Link) -> str:
    """Whose state a mention belongs to: the customer's, else the author's."""
    return f"customer:{link.customer_id}" if link.customer_id else mention.author_key


def _clues(mention: Mention) -> Iterator[_Clue]:
    hints = mention.hints
    if hints.external_id:
        yield _Clue("T0", "external_id", external(hints.external_id))
    if hints.email_hash:
        yield _Clue("T0", "email_hash", email(hints.email_hash))
    if hints.phone_hash:
        yield _Clue("T0", "phone_hash", phone(hints.phone_hash))
    for name in mention.author.verified_domains:
        yield _Clue("T1", "verified_domain", domain(name))
    if mention.author.handle:
        yield _Clue("T2", "given_handle", handle(mention.network, mention.author.handle))


def _allowed(tier: Tier, mention: Mention, policy: LinkPolicy) -> bool:
    gates = policy.gates.get(mention.network)
    return gates is None or tier in gates


def _found(clue: _Clue, identity: Identity, policy: LinkPolicy) -> Link:
    return Link(
        customer_id=identity.customer_id,
        tier=clue.tier,
        basis=clue.basis,
        probability=policy.probability.get(clue.tier, 0.0),
        evidence=(clue.identifier,),
    )
