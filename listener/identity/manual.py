"""What is known of one author beside the directory: what people said, and what the author proved.

People's links come newest last, and vetoes beside them. Unlinking undoes linking.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from listener.identity.identifiers import veto
from listener.records import Identity, ManualLink, Proof

CUSTOMERS: Final = 4
"""Of whom an author may have named something."""
MESSAGES: Final = 4


class Proven(msgspec.Struct):
    """What an author named of one customer."""

    identifiers: tuple[str, ...]
    messages: tuple[str, ...]
    needed: int
    counts_until: datetime
    expires: datetime | None

    @property
    def enough(self) -> bool:
        return len(self.identifiers) >= self.needed


class ManualState(msgspec.Struct):
    """Of one author. The last of `linked` counts; what was before comes back with an unlink."""

    linked: list[str] = []
    parted: list[str] = []
    proven: dict[str, Proven] = {}
    """Customer → proof, newest last."""


def apply(record: ManualLink, state: ManualState) -> None:
    """Take in what a person said. Said twice, it changes nothing more."""
    for said in (state.linked, state.parted):
        if record.customer_id in said:
            said.remove(record.customer_id)
    chosen = state.linked if record.linked else state.parted
    chosen.append(record.customer_id)


def prove(proof: Proof, state: ManualState) -> None:
    """Join what an author named to what they named shortly before. A part alone takes nothing from
    a proof that holds."""
    before = state.proven.get(proof.customer_id)
    joined = before if before is not None and proof.at <= before.counts_until else None
    earlier = joined.identifiers if joined else ()
    messages = joined.messages if joined else ()
    found = Proven(
        identifiers=tuple(dict.fromkeys((*earlier, *proof.identifiers))),
        messages=tuple(dict.fromkeys((*messages, proof.mention_id)))[-MESSAGES:],
        needed=proof.needed,
        counts_until=proof.counts_until,
        expires=proof.expires,
    )
    if before is not None and before.enough and not found.enough:
        return
    state.proven.pop(proof.customer_id, None)
    state.proven = dict([*state.proven.items(), (proof.customer_id, found)][-CUSTOMERS:])


def forget(customer_id: str, state: ManualState) -> None:
    """Drop whatever was said or proven of this customer."""
    for said in (state.linked, state.parted):
        if customer_id in said:
            said.remove(customer_id)
    state.proven.pop(customer_id, None)


def identities_for(author: str, state: ManualState) -> Iterator[Identity]:
    """The records that say so: at most one link, a person's before a proof, and every veto."""
    for customer in state.linked[-1:]:
        yield Identity(identifier=author, customer_id=customer, tier="T0", basis="manual")
    for customer in state.parted:
        yield Identity(identifier=veto(author), customer_id=customer, tier="none", basis="unlinked")
    proofs = [(c, p) for c, p in state.proven.items() if p.enough and c not in state.parted]
    if not state.linked:
        for customer, proof in proofs[-1:]:
            yield Identity(
                identifier=author,
                customer_id=customer,
                tier="T1",
                basis="proof",
                expires=proof.expires,
                evidence=(*proof.identifiers, *proof.messages),
            )
