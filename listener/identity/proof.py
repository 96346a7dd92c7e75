"""T1 by proof: the author names, in a thread with the brand, what only one customer has."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from listener.identity.identifiers import Find, masked
from listener.identity.policy import LinkPolicy, expiry, permits
from listener.records import Hints, Identity, Link, Mention, Proof


class Named(NamedTuple):
    """The one customer whose identifiers an author named."""

    identity: Identity
    identifiers: tuple[str, ...]


def named(hints: Hints, find: Find) -> Named | None:
    """None where nothing that was named is a customer's, or where two customers were named."""
    said = hints.said.identifiers if hints.said else ()
    found = {identifier: find(identifier, None) for identifier in said}
    owners = {i.customer_id: i for i in found.values() if i is not None}
    if len(owners) != 1:
        return None
    (owner,) = owners.values()
    return Named(owner, tuple(name for name, identity in found.items() if identity))


def proof_of(mention: Mention, link: Link, find: Find, policy: LinkPolicy) -> Proof | None:
    """What a message adds to the proof that its author is a customer; parts are joined elsewhere.

    `link`: the message's own. Nothing is remembered that may not link, or that an id contradicts.
    """
    found, said = named(mention.hints, find), mention.hints.said
    if found is None or said is None or mention.from_brand or mention.author.opted_out:
        return None
    customer = found.identity.customer_id
    if link.tier == "T0" and link.customer_id != customer:
        return None
    if not permits("T1", mention.network, mention.author_key, found.identity, find, policy):
        return None
    now = mention.event_time
    return Proof(
        author=mention.author_key,
        customer_id=customer,
        identifiers=tuple(masked(identifier) for identifier in found.identifiers),
        needed=said.needed,
        mention_id=mention.mention_id,
        at=now,
        counts_until=now + timedelta(hours=policy.proof.hours),
        expires=expiry("T1", policy, now=now),
    )
