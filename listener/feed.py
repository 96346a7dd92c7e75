"""Sends files to topics: replays, customers, dead letters again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from listener.codec import decode, encode
from listener.errors import BrokerError
from listener.lanes import OBSERVED_HEADER
from listener.records import Customer, DeadLetter
from listener.settings import Settings
from listener.sources.files import RawRecord
from listener.topics import CUSTOMERS, DEAD_LETTERS

SEND_AHEAD = 500
"""Records under way at once."""
Progress = Callable[[int], None]


@asynccontextmanager
async def connected(settings: Settings, client: Any) -> AsyncIterator[Any]:
    """A started Kafka client. Raises BrokerError where the broker cannot be reached."""
    try:
        await client.start()
        yield client
    except (KafkaError, OSError) as error:
        raise settings.unreachable(error) from None
    finally:
        await client.stop()


def producer(settings: Settings) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        linger_ms=5, max_request_size=8 * 1024 * 1024, request_timeout_ms=60_000, **settings.kafka
    )


async def replay(
    settings: Settings,
    topic: str,
    records: Iterable[RawRecord],
    *,
    speed: float | None,
    progress: Progress = lambda _: None,
) -> int:
    """Sends raw records with the time they were seen as a header. `speed` 60 plays an hour in a
    minute; None as fast as the broker takes them. Returns how many were sent."""
    sent = 0
    async with connected(settings, producer(settings)) as client:
        pace = _Pace(speed)
        pending: list[Any] = []
        for record in records:
            await pace.wait_for(record.at)
            pending.append(
                await client.send(topic, record.value, record.key, headers=_seen(record.at))
            )
            sent += 1
            if len(pending) >= SEND_AHEAD or speed is not None:
                await asyncio.gather(*pending)
                pending.clear()
                progress(sent)
        await asyncio.gather(*pending)
        progress(sent)
    return sent


class _Pace:
    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._start: tuple[datetime, float] | None = None

    async def wait_for(self, at: datetime) -> None:
        if self._speed is None:
            return
        if self._start is None:
            self._start = at, monotonic()
        due = (at - self._start[0]).total_seconds() / self._speed
        late = self._start[1] + due - monotonic()
        if late > 0:
            await asyncio.sleep(late)


def _seen(at: datetime) -> list[tuple[str, bytes]]:
    return [(OBSERVED_HEADER, str(int(at.timestamp() * 1000)).encode())]


async def import_customers(settings: Settings, customers: Iterable[Customer]) -> int:
    """Sends customers to their topic; returns how many."""
    sent = []
    async with connected(settings, producer(settings)) as client:
        for customer in customers:
            key = customer.customer_id.encode()
            sent.append(await client.send(CUSTOMERS.name, encode(customer), key))
        await asyncio.gather(*sent)
    return len(sent)


async def read_topic(settings: Settings, topic: str) -> list[Any]:
    """Every message that is on a topic now. Raises BrokerError where there is no such topic."""
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **settings.kafka)
    found: list[Any] = []
    async with connected(settings, consumer):
        places = await partitions_of(consumer, topic)
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while [p for p in places if await consumer.position(p) < ends[p]]:
            for messages in (await consumer.getmany(timeout_ms=200)).values():
                found += messages
    return found


async def partitions_of(consumer: Any, topic: str) -> list[TopicPartition]:
    """The partitions of a topic. Raises BrokerError where there is none."""
    await consumer._client.force_metadata_update()
    numbers = consumer.partitions_for_topic(topic) or set()
    if not numbers:
        raise BrokerError(f"topic {topic} is missing; make it with `listener topics create`")
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def dead_letters(settings: Settings) -> list[tuple[bytes | None, DeadLetter]]:
    """Every dead letter with its raw key, oldest first."""
    messages = await read_topic(settings, DEAD_LETTERS.name)
    messages.sort(key=lambda message: message.timestamp)
    return [(message.key, decode(message.value, DeadLetter)) for message in messages]


async def replay_letters(settings: Settings, letters: list[tuple[bytes | None, DeadLetter]]) -> int:
    """Sends the original of each dead letter to its topic again: the message at the place that the
    letter names, or, where the broker has it no longer, the masked bytes that the letter kept if
    they are whole. Returns how many were sent."""
    sent = 0
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **settings.kafka)
    async with (
        connected(settings, consumer),
        connected(settings, producer(settings)) as client,
    ):
        for key, letter in letters:
            original = await _original(consumer, letter)
            if original is not None:
                await client.send_and_wait(letter.topic, original, key, headers=_seen(letter.at))
                sent += 1
    return sent


async def _original(consumer: Any, letter: DeadLetter) -> bytes | None:
    place = TopicPartition(letter.topic, letter.partition)
    consumer.assign([place])
    starts, ends = await consumer.beginning_offsets([place]), await consumer.end_offsets([place])
    if starts[place] <= letter.offset < ends[place]:
        consumer.seek(place, letter.offset)
        found: bytes | None = (await consumer.getone()).value
        return found
    return None if letter.truncated else letter.raw
