"""Keeps the read model up with its topics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer

from listener.codec import decode
from listener.errors import InvalidMessage
from listener.feed import connected, partitions_of
from listener.records import Alert, BrandRisk, FitSignal, Linked
from listener.settings import Settings
from listener.store import Store
from listener.topics import ALERTS, BRAND_RISK, FIT_SIGNALS, LINKED

logger = logging.getLogger(__name__)

Put = Callable[[Sequence[Any]], None]


async def project(settings: Settings, store: Store) -> None:
    """Reads every topic of the read model from its beginning and follows it, until cancelled.

    Writes are upserts by id, so that starting over is safe.
    """
    kinds: dict[str, tuple[type, Put]] = {
        ALERTS.name: (Alert, store.put_alerts),
        BRAND_RISK.name: (BrandRisk, store.put_risks),
        FIT_SIGNALS.name: (FitSignal, store.put_signals),
        LINKED.name: (Linked, store.put_mentions),
    }
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **settings.kafka)
    async with connected(settings, consumer):
        places = [place for topic in kinds for place in await partitions_of(consumer, topic)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        while True:
            for place, messages in (await consumer.getmany(timeout_ms=500)).items():
                kind, put = kinds[place.topic]
                await asyncio.to_thread(put, _records(messages, kind))


def _records(messages: list[Any], kind: type) -> list[Any]:
    found: list[Any] = []
    for message in messages:
        try:
            found.append(decode(message.value, kind))
        except InvalidMessage as error:
            logger.warning("%s offset %d: %s", message.topic, message.offset, error)
    return found
