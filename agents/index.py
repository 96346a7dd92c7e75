"""Customer → Identity, one for each identifier; what a customer no longer has is withdrawn.

What people say by hand (ManualLink) and what authors prove (Proof) comes by author, and so in other
partitions than the customer's record; both end on the same topic, where every worker's directory
joins them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from hashlib import blake2b

import msgspec

from agents.flow import Batches, Hop, Incoming, Ledger, MaskBytes, Outcome, Outgoing, Step, send
from listener.codec import encode
from listener.errors import InvalidMessage
from listener.identity import (
    ManualState,
    apply,
    forget,
    identities_for,
    identities_of,
    key_of,
    prove,
)
from listener.records import Customer, Forget, Identity, ManualLink, Proof
from listener.topics import IDENTITIES, MANUAL_LINKS

Seal = Callable[[Customer], Customer]
"""Hashes what is in plain. Raises InvalidMessage with the field at fault."""
Authors = Callable[[str], Iterable[str]]
"""Customer → authors whom people linked to them or parted from them, or who proved to be them."""


class Known(msgspec.Struct):
    """What one customer or author has on the topic: key → digest of the record."""

    published: dict[str, str] = {}


OfAuthor = ManualLink | Proof | Forget


class Said(msgspec.Struct):
    """What is known of one author, and what the topic has of it."""

    manual: ManualState = msgspec.field(default_factory=ManualState)
    published: dict[str, str] = {}


def index(
    customers: Ledger[Known],
    authors: Ledger[Said],
    *,
    seal: Seal,
    linked_by_hand: Authors,
    profiles: bool,
    mask: MaskBytes,
) -> Hop:
    """`profiles`: whether names and the like are published, for probabilistic linking."""
    known: Step[Customer] = Step(stage="index", kind=Customer, mask=mask)
    said: Step[OfAuthor] = Step(stage="index", kind=OfAuthor, mask=mask)

    def customer(incoming: Incoming, record: Customer) -> list[Outgoing]:
        _check_key(incoming, record.customer_id)
        identities = identities_of(seal(record), profiles=profiles)
        state = customers.open(record.customer_id, incoming)
        return [] if state is None else _changes(state.published, identities, incoming)

    def erased(incoming: Incoming) -> list[Outgoing]:
        """A null value: every identity goes, and what people said of the customer by hand."""
        name = _key(incoming)
        state = customers.open(name, incoming)
        if state is None:
            return []
        request = Forget(
            customer_id=name, reason="customer erased", requested_at=incoming.observed_at
        )
        return [
            *_changes(state.published, (), incoming),
            *(send(MANUAL_LINKS, a, request, of=incoming) for a in linked_by_hand(name)),
        ]

    def link(incoming: Incoming, record: OfAuthor | None) -> list[Outgoing]:
        author = _key(incoming)
        state = authors.open(author, incoming)
        if state is None:
            return []
        _take(record, state)
        return _changes(state.published, identities_for(author, state.manual), incoming)

    def one(incoming: Incoming) -> list[Outgoing]:
        empty = incoming.value is None
        if incoming.topic == MANUAL_LINKS.name:
            return link(incoming, None if empty else said.read(incoming))
        return erased(incoming) if empty else customer(incoming, known.read(incoming))

    async def hop(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            outputs: list[Outgoing] = []
            for incoming in batch:
                try:
                    outputs += one(incoming)
                except Exception as error:  # noqa: BLE001 - no record may stop a partition
                    outputs.append(known.refuse(incoming, error))
            yield Outcome(outputs, [*customers.written(), *authors.written()])

    return hop


def _take(record: OfAuthor | None, state: Said) -> None:
    if isinstance(record, ManualLink):
        apply(record, state.manual)
    elif isinstance(record, Proof):
        prove(record, state.manual)
    elif record is not None and record.customer_id is not None:
        forget(record.customer_id, state.manual)
    else:
        state.manual = ManualState()


def _changes(
    published: dict[str, str], identities: Iterable[Identity], incoming: Incoming
) -> list[Outgoing]:
    """Only what differs from what the topic has; `published` is brought up to date."""
    records = {key_of(i.identifier, i.customer_id): i for i in identities}
    digests = {key: _digest(identity) for key, identity in records.items()}
    gone = [key for key in published if key not in records]
    changed = [key for key, digest in digests.items() if published.get(key) != digest]
    published.clear()
    published.update(digests)
    return [
        *(Outgoing(IDENTITIES.name, key.encode(), None) for key in gone),
        *(send(IDENTITIES, key, records[key], of=incoming) for key in changed),
    ]


def _digest(identity: Identity) -> str:
    return blake2b(encode(identity), digest_size=8).hexdigest()


def _key(incoming: Incoming) -> str:
    if not incoming.key:
        raise InvalidMessage("no key, where the customer's or the author's id was expected")
    return incoming.key.decode()


def _check_key(incoming: Incoming, customer_id: str) -> None:
    """State and erasure go by the key, so it must be the customer's own."""
    if incoming.key != customer_id.encode():
        raise InvalidMessage("the record's key is not its customer_id", field="$.customer_id")
