"""Which known customer wrote a message, strongest evidence first (definitions §2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from listener.identity.identifiers import (
    Find,
    domain,
    email,
    external,
    handle,
    masked,
    phone,
    profile_key,
)
from listener.identity.policy import LinkPolicy, expiry, may_look, permits
from listener.identity.probable import Guesser
from listener.identity.proof import named
from listener.records import Author, Hints, Identity, Link, Mention, Standing, Tier

PROOF: Final = "proof"


class Sender(NamedTuple):
    """All that a link depends on: keep it, and the link can be made anew without the message."""

    network: str
    author: Author
    hints: Hints = Hints()

    @property
    def key(self) -> str:
        return f"{self.network}:{self.author.id}"


class _Clue(NamedTuple):
    tier: Tier
    basis: str
    identifier: str
    shown: tuple[str, ...]
    """The evidence as a person may see it: never an address, and only the start of a hash."""
    own: str = ""
    """What the directory's record must say that it stands on: `manual`, `proof`, or nothing."""


def link(
    mention: Mention, find: Find, policy: LinkPolicy, *, guess: Guesser | None = None
) -> tuple[Link, Standing | None]:
    """The link of a mention and what the directory says of that customer.

    The brand's own messages and authors who opted out are never linked.
    """
    if mention.from_brand:
        return Link(), None
    sender = Sender(mention.network, mention.author, mention.hints)
    return link_of(sender, find, policy, now=mention.event_time, guess=guess)


def link_of(
    sender: Sender,
    find: Find,
    policy: LinkPolicy,
    *,
    now: datetime,
    guess: Guesser | None = None,
) -> tuple[Link, Standing | None]:
    """The link that would now result for this author, whatever it was before.

    A person's own link comes first; what a person parted is not linked by any rule.
    """
    if sender.author.opted_out:
        return Link(), None
    for clue in _clues(sender, find):
        if not may_look(clue.tier, sender.network, policy):
            continue
        identity = find(clue.identifier, None)
        if identity is None or clue.own != identity.basis or _over(identity, now):
            continue
        if permits(clue.tier, sender.network, sender.key, identity, find, policy):
            return _found(clue, identity, policy, now=now), identity.standing
    if guess is not None and policy.probabilistic and may_look("T3", sender.network, policy):
        return _guessed(sender, find, policy, now=now, guess=guess)
    return Link(), None


def relinked(
    before: Link,
    sender: Sender,
    find: Find,
    policy: LinkPolicy,
    *,
    now: datetime,
    guess: Guesser | None = None,
) -> tuple[Link, Standing | None] | None:
    """The link that an open alert's author would get now, if it is another than it has.

    None while nothing changed: same customer, tier and basis, whatever the probability.
    """
    found, standing = link_of(sender, find, policy, now=now, guess=guess)
    same = (found.customer_id, found.tier, found.basis)
    return None if same == (before.customer_id, before.tier, before.basis) else (found, standing)


def _guessed(
    sender: Sender, find: Find, policy: LinkPolicy, *, now: datetime, guess: Guesser
) -> tuple[Link, Standing | None]:
    """The likeliest customer, or nobody: who is not permitted does not make room for the next."""
    best = guess(sender.network, sender.author)
    identity = find(profile_key(best.customer_id), None) if best else None
    if best is None or identity is None:
        return Link(), None
    if not permits("T3", sender.network, sender.key, identity, find, policy):
        return Link(), None
    found = Link(
        customer_id=best.customer_id,
        tier="T3",
        basis="resemblance",
        probability=best.probability,
        evidence=best.evidence,
        expires=expiry("T3", policy, now=now),
    )
    return found, identity.standing


def subject_of(mention: Mention, link: Link) -> str:
    """Whose state a mention belongs to: the customer's, else the author's.

    A probable link (T3) leaves the author their own state: were it wrong, threads of two people
    would be one, and no later correction could part them. It counts in figures, with its weight.
    """
    certain = link.customer_id is not None and link.tier != "T3"
    return f"customer:{link.customer_id}" if certain else mention.author_key


def _over(identity: Identity, now: datetime) -> bool:
    return identity.expires is not None and identity.expires <= now


def _clues(sender: Sender, find: Find) -> Iterator[_Clue]:
    yield _Clue("T0", "manual", sender.key, (sender.key,), "manual")
    hints, author = sender.hints, sender.author
    if hints.external_id:
        yield _plain("T0", "external_id", external(hints.external_id))
    if hints.email_hash:
        yield _plain("T0", "email_hash", email(hints.email_hash))
    if hints.phone_hash:
        yield _plain("T0", "phone_hash", phone(hints.phone_hash))
    for name in author.verified_domains:
        yield _plain("T1", "verified_domain", domain(name))
    given = named(hints, find)
    if given is not None and hints.said and len(given.identifiers) >= hints.said.needed:
        shown = tuple(masked(identifier) for identifier in given.identifiers)
        yield _Clue("T1", PROOF, given.identifiers[0], shown)
    yield _Clue("T1", PROOF, sender.key, (), PROOF)
    if author.handle:
        yield _plain("T2", "given_handle", handle(sender.network, author.handle))


def _plain(tier: Tier, basis: str, identifier: str) -> _Clue:
    return _Clue(tier, basis, identifier, (masked(identifier),))


def _found(clue: _Clue, identity: Identity, policy: LinkPolicy, *, now: datetime) -> Link:
    return Link(
        customer_id=identity.customer_id,
        tier=clue.tier,
        basis=clue.basis,
        probability=policy.probability.get(clue.tier, 0.0),
        evidence=clue.shown or identity.evidence,
        expires=identity.expires or expiry(clue.tier, policy, now=now),
    )
