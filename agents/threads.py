"""Whose thread a message belongs to, so that the brand's answer and a deletion find it.

A brand's answer comes under the brand's account, which is in another partition than the customer's
state. Both, where the message belongs and what answered it, are sent here by the id of the message,
in whichever order; what comes first waits for the other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from agents.flow import Batches, Hop, Incoming, Ledger, MaskBytes, Outcome, Outgoing, Step, send
from agents.timetable import Owned, Timetable
from listener.ports import Clock
from listener.records import Forget, Gone, Reply, ThreadOf
from listener.topics import SUBJECT_EVENTS

WAITING: Final = 5
SPACING: Final = 8
"""Positions between two events of one input, so that what each gives has its own."""
AT_ONCE: Final = 2000
Known = ThreadOf | Reply | Forget


class Place(msgspec.Struct):
    """What is known of one message."""

    subject: str = ""
    waiting: list[Reply] = []
    forgotten: datetime | None = None
    at: datetime | None = None
    """When it was last heard of, in the wall clock: it is dropped some time after."""


class Threads:
    """What one worker's threads hop works with."""

    def __init__(
        self,
        places: Ledger[Place],
        *,
        days: float,
        clock: Clock,
        owned: Owned = lambda: None,
    ) -> None:
        """`days`: how long a message is remembered."""
        self.places = places
        self.clock = clock
        keep = timedelta(days=days)
        self.timetable: Timetable[Place] = Timetable(
            places, due=lambda place: place.at + keep if place.at else None, owned=owned
        )

    def sweep(self) -> None:
        for key in self.timetable.take(self.clock(), most=AT_ONCE):
            self.places.forget(key)

    def take(self, incoming: Incoming, record: Known) -> list[Outgoing]:
        key = key_of(record)
        place = self.places.open(key, incoming)
        if place is None:
            return []
        place.at = self.clock()
        self.timetable.note(key, place)
        if isinstance(record, ThreadOf):
            place.subject = record.subject
        elif isinstance(record, Reply):
            place.waiting = [*place.waiting, record][-WAITING:]
        else:
            place.forgotten = record.requested_at
        return list(_released(key, place, incoming)) if place.subject else []


def threads(index: Threads, *, mask: MaskBytes) -> Hop:
    step: Step[Known] = Step(stage="threads", kind=Known, mask=mask)

    async def hop(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            await index.timetable.ready()
            outputs: list[Outgoing] = []
            if not batch:
                index.sweep()
            for incoming, record in step.decode(batch, outputs):
                try:
                    outputs += index.take(incoming, record)
                except Exception as error:  # noqa: BLE001 - no record may stop a partition
                    index.places.drop(key_of(record))
                    outputs.append(step.refuse(incoming, error))
            yield Outcome(outputs, index.places.written())

    return hop


def key_of(record: Known) -> str:
    return record.answers if isinstance(record, Reply) else record.mention_id or ""


def _released(key: str, place: Place, incoming: Incoming) -> Iterator[Outgoing]:
    for number, reply in enumerate(place.waiting):
        known = msgspec.structs.replace(reply, subject=place.subject)
        yield send(SUBJECT_EVENTS, place.subject, known, of=incoming, index=number * SPACING)
    if place.forgotten is not None:
        gone = Gone(subject=place.subject, mention_id=key, at=place.forgotten)
        index = len(place.waiting) * SPACING
        yield send(SUBJECT_EVENTS, place.subject, gone, of=incoming, index=index)
    place.waiting = []
