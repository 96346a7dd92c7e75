"""What people said of one author: links, newest last, and vetoes. Unlinking undoes linking."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from listener.identity.identifiers import veto
from listener.records import Identity, ManualLink


class ManualState(msgspec.Struct):
    """Of one author. The last of `linked` counts; what was before comes back with an unlink."""

    linked: list[str] = []
    parted: list[str] = []


def apply(record: ManualLink, state: ManualState) -> None:
    """Take in what a person said. Said twice, it changes nothing more."""
    forget(record.customer_id, state)
    chosen = state.linked if record.linked else state.parted
    chosen.append(record.customer_id)


def forget(customer_id: str, state: ManualState) -> None:
    """Drop whatever was said of this customer."""
    for said in (state.linked, state.parted):
        if customer_id in said:
            said.remove(customer_id)


def identities_for(author: str, state: ManualState) -> Iterator[Identity]:
    """The records that say so: at most one link, and every veto."""
    for customer in state.linked[-1:]:
        yield Identity(identifier=author, customer_id=customer, tier="T0", basis="manual")
    for customer in state.parted:
        yield Identity(identifier=veto(author), customer_id=customer, tier="none", basis="unlinked")
