"""The customer directory in memory: every identifier, kept up to date from its topic.

Each worker has all of it, because an e-mail hash and the author who gave it live in different
partitions. About 300 bytes an identifier.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from listener.codec import decode
from listener.errors import BrokerError, InvalidMessage
from listener.records import Identity
from listener.settings import Settings
from listener.topics import IDENTITIES

logger = logging.getLogger(__name__)

Band = Callable[[float], str]
DAY_SECONDS = 86_400.0


class Directory:
    """Implements `ports.Directory`."""

    def __init__(self, *, band: Band) -> None:
        self._band = band
        self._identities: dict[str, Identity] = {}
        self._by_customer: dict[str, set[str]] = {}
        self._values: list[float] | None = None

    def __len__(self) -> int:
        return len(self._identities)

    def find(self, identifier: str) -> Identity | None:
        """The owner of an identifier, with the rank of their value among all customers."""
        identity = self._identities.get(identifier)
        if identity is None:
            return None
        rank = self._percentile(identity.standing.value)
        standing = msgspec.structs.replace(identity.standing, value_percentile=rank)
        return msgspec.structs.replace(identity, standing=standing)

    def population(self, now: datetime) -> Mapping[tuple[str, str], int]:
        """Customers of each (segment, tenure band) at `now`."""
        counts: Counter[tuple[str, str]] = Counter()
        for standing in self._standings().values():
            days = (now - standing.since).total_seconds() / DAY_SECONDS
            if days >= 0:
                counts[standing.segment, self._band(days)] += 1
        return counts

    def put(self, identifier: str, identity: Identity | None) -> None:
        """Take in one record of the topic; None withdraws the identifier."""
        old = self._identities.pop(identifier, None)
        if old is not None:
            self._by_customer[old.customer_id].discard(identifier)
        if identity is not None:
            self._identities[identifier] = identity
            self._by_customer.setdefault(identity.customer_id, set()).add(identifier)
        self._values = None

    def _standings(self) -> dict[str, Any]:
        return {
            customer: self._identities[min(identifiers)].standing
            for customer, identifiers in self._by_customer.items()
            if identifiers
        }

    def _percentile(self, value: float) -> float:
        if self._values is None:
            self._values = sorted(standing.value for standing in self._standings().values())
        return round(bisect_left(self._values, value) / max(len(self._values) - 1, 1), 4)


class DirectoryReader:
    """Fills a directory from its topic: first up to the end, then as it changes."""

    def __init__(self, directory: Directory, settings: Settings) -> None:
        self._directory = directory
        self._settings = settings
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once everything that is on the topic is in. Raises BrokerError."""
        self._consumer = AIOKafkaConsumer(enable_auto_commit=False, **self._settings.kafka)
        try:
            await self._consumer.start()
            await self._catch_up()
        except (KafkaError, OSError) as error:
            await self._consumer.stop()
            raise self._settings.unreachable(error) from None
        self._task = asyncio.ensure_future(self._follow())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._consumer.stop()

    async def _catch_up(self) -> None:
        # Without a name the cluster is asked for every topic.
        await self._consumer._client.force_metadata_update()
        partitions = self._consumer.partitions_for_topic(IDENTITIES.name) or set()
        places = [TopicPartition(IDENTITIES.name, number) for number in partitions]
        if not places:
            raise BrokerError(
                f"topic {IDENTITIES.name} is missing; make it with `listener topics create`"
            )
        self._consumer.assign(places)
        await self._consumer.seek_to_beginning(*places)
        ends = await self._consumer.end_offsets(places)
        while [place for place in places if await self._consumer.position(place) < ends[place]]:
            await self._read(timeout_ms=200)

    async def _follow(self) -> None:
        while True:
            await self._read(timeout_ms=1000)

    async def _read(self, *, timeout_ms: int) -> None:
        batches = await self._consumer.getmany(timeout_ms=timeout_ms)
        for messages in batches.values():
            for message in messages:
                self._take(message)

    def _take(self, message: Any) -> None:
        identifier = message.key.decode()
        try:
            identity = decode(message.value, Identity) if message.value else None
        except InvalidMessage as error:
            logger.warning("%s offset %d: %s", IDENTITIES.name, message.offset, error)
            return
        self._directory.put(identifier, identity)
