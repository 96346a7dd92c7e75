"""The incidents that are open, in memory: each worker reads every brand's figures.

An alert's subject and its brand live in different partitions, so that escalation cannot keep these.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from listener.codec import decode
from listener.errors import InvalidMessage
from listener.records import BrandRisk
from listener.settings import Settings
from listener.topics import BRAND_RISK

logger = logging.getLogger(__name__)
SHARE: Final = 0.2
"""Share of a brand's weighted negative volume from which an incident is about an issue."""
AGAIN_SECONDS: Final = 5.0


class Incidents:
    """Newest figures of each brand, as far as escalation asks for them."""

    def __init__(self) -> None:
        self._brands: dict[str, frozenset[tuple[str, str]]] = {}
        self._open: frozenset[tuple[str, str]] = frozenset()

    def __call__(self) -> frozenset[tuple[str, str]]:
        """(brand, issue) of the incidents that are open."""
        return self._open

    def put(self, risk: BrandRisk) -> None:
        incident = risk.incident
        about: frozenset[tuple[str, str]] = frozenset()
        if incident is not None and incident.ended_at is None:
            issues = (issue for issue, share in risk.top_issues.items() if share >= SHARE)
            about = frozenset((risk.brand, issue) for issue in issues)
        if about != self._brands.get(risk.brand, frozenset()):
            self._brands[risk.brand] = about
            self._open = frozenset().union(*self._brands.values())


class IncidentReader:
    """Fills it from its topic, in the background: a worker need not wait for it to start."""

    def __init__(self, incidents: Incidents, settings: Settings) -> None:
        self._incidents = incidents
        self._settings = settings
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.ensure_future(self._follow())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                logger.warning("%s: %r, again", BRAND_RISK.name, error)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(enable_auto_commit=False, **self._settings.kafka)
        try:
            await consumer.start()
            # Without a name the cluster is asked for every topic.
            await consumer._client.force_metadata_update()
            numbers = consumer.partitions_for_topic(BRAND_RISK.name) or set()
            places = [TopicPartition(BRAND_RISK.name, number) for number in numbers]
            if not places:
                return
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            async for message in consumer:
                self._take(message.value)
        finally:
            await consumer.stop()

    def _take(self, value: bytes | None) -> None:
        if value is None:
            return
        try:
            self._incidents.put(decode(value, BrandRisk))
        except InvalidMessage as error:
            logger.warning("%s: %s", BRAND_RISK.name, error)
