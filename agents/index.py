"""Customer → Identity, one for each identifier; what a customer no longer has is withdrawn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from agents.flow import Batches, Hop, Incoming, Ledger, MaskBytes, Outcome, Outgoing, Step, send
from listener.identity import identities_of
from listener.records import Customer
from listener.topics import IDENTITIES


class Known(msgspec.Struct):
    """The identifiers that one customer has on the topic."""

    identifiers: list[str] = []


def index(customers: Ledger[Known], *, mask: MaskBytes) -> Hop:
    step: Step[Customer] = Step(stage="index", kind=Customer, mask=mask)

    def one(incoming: Incoming, customer: Customer) -> list[Outgoing]:
        known = customers.open(customer.customer_id, incoming)
        if known is None:
            return []
        identities = identities_of(customer)
        kept = [identity.identifier for identity in identities]
        gone = [identifier for identifier in known.identifiers if identifier not in kept]
        known.identifiers = kept
        return [
            *(send(IDENTITIES, i.identifier, i, of=incoming) for i in identities),
            *(Outgoing(IDENTITIES.name, identifier.encode(), None) for identifier in gone),
        ]

    async def hop(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            outputs: list[Outgoing] = []
            for incoming, customer in step.decode(batch, outputs):
                outputs += one(incoming, customer)
            yield Outcome(outputs, customers.written())

    return hop
