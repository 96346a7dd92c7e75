"""Keeps the read model up with its topics."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from listener.codec import decode
from listener.errors import InvalidMessage
from listener.feed import connected, partitions_of
from listener.records import (
    Alert,
    BrandRisk,
    DeadLetter,
    FitSignal,
    Forget,
    HelpOffer,
    Linked,
    SubjectStage,
)
from listener.settings import Settings
from listener.store import AlertGone, Received, Store
from listener.topics import (
    ALERTS,
    BRAND_RISK,
    DEAD_LETTERS,
    FIT_SIGNALS,
    HELP_OFFERS,
    LINKED,
    MENTIONS,
    STAGES,
)
from listener.web import Change

logger = logging.getLogger(__name__)

KINDS: Final[dict[str, Any]] = {
    ALERTS.name: Alert,
    BRAND_RISK.name: BrandRisk,
    FIT_SIGNALS.name: FitSignal,
    LINKED.name: Linked,
    STAGES.name: SubjectStage,
    HELP_OFFERS.name: HelpOffer,
    DEAD_LETTERS.name: DeadLetter,
    MENTIONS.name: Forget,
}
FORGET: Final = b'{"type":"forget"'
"""How a deletion begins; of `listener.mentions` nothing else is of interest here."""
MOST: Final = 1000
"""Records of one transaction."""
RATE_SECONDS: Final = 60.0
Publish = Callable[[Iterable[Change]], None]


class Projection:
    """Reads the topics into the store; says how far it is."""

    def __init__(self, settings: Settings, store: Store, *, publish: Publish) -> None:
        self._settings = settings
        self._store = store
        self._publish = publish
        self._ends: dict[tuple[str, int], int] = {}
        self._next: dict[tuple[str, int], int] = {}
        self._taken: deque[tuple[float, str, int]] = deque()

    def lag(self) -> dict[str, int]:
        """Topic → records on it that are not in the read model."""
        found = dict.fromkeys(KINDS, 0)
        for place, end in self._ends.items():
            found[place[0]] += max(end - self._next.get(place, 0), 0)
        return found

    def rates(self) -> dict[str, float]:
        """Topic → records a second over the last minute."""
        since = monotonic() - RATE_SECONDS
        while self._taken and self._taken[0][0] < since:
            self._taken.popleft()
        found = dict.fromkeys(KINDS, 0.0)
        for _, topic, records in self._taken:
            found[topic] += records / RATE_SECONDS
        return found

    async def run(self) -> None:
        """Goes on where the read model is, and follows until cancelled.

        Raises BrokerError where the broker or a topic is missing.
        """
        consumer = AIOKafkaConsumer(
            enable_auto_commit=False, max_poll_records=MOST, **self._settings.kafka
        )
        async with connected(self._settings, consumer):
            await self._place(consumer)
            while True:
                messages = await consumer.getmany(timeout_ms=500)
                if messages:
                    await self._take(consumer, messages)

    async def _place(self, consumer: Any) -> None:
        places = [place for topic in KINDS for place in await partitions_of(consumer, topic)]
        consumer.assign(places)
        known = await self._store.ledger.offsets()
        starts = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        for place in places:
            at = known.get((place.topic, place.partition), 0)
            if at > ends[place]:
                logger.warning(
                    "%s %d ends before what was read of it: it was made anew, and is read again",
                    place.topic,
                    place.partition,
                )
                await self._store.rewind((place.topic, place.partition))
                at = 0
            consumer.seek(place, max(at, starts[place]))
            self._ends[place.topic, place.partition] = ends[place]
            self._next[place.topic, place.partition] = max(at, starts[place])

    async def _take(self, consumer: Any, messages: Mapping[TopicPartition, Sequence[Any]]) -> None:
        received = [
            found for some in messages.values() for message in some if (found := read(message))
        ]
        following = {
            (place.topic, place.partition): some[-1].offset + 1
            for place, some in messages.items()
            if some
        }
        await self._store.take(received, following)
        self._next.update(following)
        for place, some in messages.items():
            end = consumer.highwater(place)
            self._ends[place.topic, place.partition] = (
                end or following[place.topic, place.partition]
            )
            self._taken.append((monotonic(), place.topic, len(some)))
        self._publish(changes(received))


def read(message: Any) -> Received | None:
    """The record in a message; None for what is not for the read model."""
    record: object = None
    if message.value is None:
        if message.topic == ALERTS.name and message.key:
            record = AlertGone(message.key.decode("utf-8", "replace"))
    elif message.topic != MENTIONS.name or message.value.startswith(FORGET):
        try:
            record = decode(message.value, KINDS[message.topic])
        except InvalidMessage as error:
            # Topics may carry other records than the read model's, too.
            logger.debug("%s offset %d: %s", message.topic, message.offset, error)
    if record is None:
        return None
    return Received(
        message.topic, message.partition, message.offset, message.timestamp, message.key, record
    )


def changes(received: Iterable[Received]) -> list[Change]:
    """What pages should look at again."""
    return list(dict.fromkeys(map(_change, received)))


def _change(item: Received) -> Change:
    record = item.record
    if isinstance(record, Alert | AlertGone):
        return Change("alert", record.alert_id)
    if isinstance(record, BrandRisk):
        return Change("brand", record.brand)
    if isinstance(record, FitSignal | HelpOffer | SubjectStage):
        return Change("fit")
    return Change("letters") if isinstance(record, DeadLetter) else Change("mentions")
