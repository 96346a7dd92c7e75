"""Keeps a directory up to date from its topic."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from listener.codec import decode
from listener.directory import Directory
from listener.errors import BrokerError, InvalidMessage
from listener.identity import parse_key
from listener.records import Identity
from listener.settings import Settings
from listener.topics import IDENTITIES

logger = logging.getLogger(__name__)


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
        identifier, customer = parse_key(message.key.decode())
        try:
            identity = decode(message.value, Identity) if message.value else None
        except InvalidMessage as error:
            logger.warning("%s offset %d: %s", IDENTITIES.name, message.offset, error)
            return
        self._directory.put(identifier, customer, identity)
