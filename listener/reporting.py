"""Makes a day's digest from the topics, and sends it to its receivers once."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiokafka import AIOKafkaConsumer

from listener.codec import decode, encode
from listener.delivery import build_sink
from listener.digest import summarise, window
from listener.errors import DeliveryError, InvalidMessage, PolicyError
from listener.feed import connected, partitions_of, producer, read_topic
from listener.policy import Policy
from listener.ports import Reporter
from listener.records import Alert, Digest, Linked
from listener.settings import Settings
from listener.topics import ALERTS, DIGESTS, LINKED, Topic

CLOCKS = timedelta(minutes=10)
"""An event may claim to be 5 minutes in the future (design §3)."""


def day_of(policy: Policy, now: datetime) -> tuple[datetime, datetime]:
    """Start and end of the newest digest. Raises PolicyError for a time or zone that is none."""
    digest = policy.digest
    try:
        at = time.fromisoformat(digest.at)
    except ValueError:
        raise PolicyError(f"digest.at={digest.at}: not a time of day; give HH:MM") from None
    try:
        zone = ZoneInfo(digest.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PolicyError(
            f"digest.zone={digest.zone}: no such time zone; give one such as Europe/Berlin"
        ) from None
    return window(now, at=at, zone=zone)


async def make_digest(settings: Settings, policy: Policy, *, now: datetime) -> Digest:
    """Reads the mentions of that day and every alert that the topic has."""
    start, end = day_of(policy, now)
    alerts = [_read(m.value, Alert) for m in await read_topic(settings, ALERTS.name)]
    mentions = [_read(value, Linked) for value in await _since(settings, LINKED, start - CLOCKS)]
    return summarise(
        [linked for linked in mentions if linked is not None],
        [alert for alert in alerts if alert is not None],
        start=start,
        end=end,
        floor=policy.escalation.complaint_floor,
        rivals=policy.escalation.rivals,
        examples=policy.digest.examples,
    )


async def send_digest(settings: Settings, policy: Policy, digest: Digest) -> list[str]:
    """Faults of the receivers that did not get it; nothing is sent a second time.

    The digest goes on its topic once a receiver has it, so that a repeat of the command sends to
    nobody who has it; a receiver that knows keys is safe even where the first run was killed.
    """
    told = {m.key for m in await read_topic(settings, DIGESTS.name)}
    faults: list[str] = []
    async with connected(settings, producer(settings)) as client:
        for name in policy.digest.receivers:
            key = f"{digest.digest_id}:{name}"
            if key.encode() in told:
                continue
            try:
                await _report(policy, name, digest, key)
            except DeliveryError as error:
                faults.append(f"digest.receivers={name}: {error}; run the command again")
            else:
                await client.send_and_wait(DIGESTS.name, encode(digest), key.encode())
    return faults


async def _report(policy: Policy, name: str, digest: Digest, key: str) -> None:
    sink = reporter(policy, name)
    try:
        await sink.report(digest, key=key)
    finally:
        await sink.close()


def reporter(policy: Policy, name: str) -> Reporter:
    """Raises PolicyError where there is no such receiver, or it takes no digests."""
    entry = policy.receivers.get(name)
    if entry is None:
        known = ", ".join(policy.receivers) or "none"
        raise PolicyError(f"digest.receivers={name}: no such receiver; one of {known}")
    sink: Any = build_sink(name, entry)
    if not hasattr(sink, "report"):
        raise PolicyError(
            f"digest.receivers={name}: it takes alerts only; give a slack, webhook, email or file "
            "receiver"
        )
    found: Reporter = sink
    return found


async def _since(settings: Settings, topic: Topic, start: datetime) -> list[bytes | None]:
    """Values of the messages from a time on. On the broker a message is never older than its event
    (but for clocks that disagree), so none of the day is before."""
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **settings.kafka)
    found: list[bytes | None] = []
    async with connected(settings, consumer):
        places = await partitions_of(consumer, topic.name)
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        stamps = dict.fromkeys(places, int(start.timestamp() * 1000))
        for place, first in (await consumer.offsets_for_times(stamps)).items():
            # The embedded broker does not search by time: then all of it is read.
            if first is None or first.offset >= ends[place]:
                await consumer.seek_to_beginning(place)
            else:
                consumer.seek(place, first.offset)
        while [p for p in places if await consumer.position(p) < ends[p]]:
            for messages in (await consumer.getmany(timeout_ms=200)).values():
                found += [message.value for message in messages]
    return found


def _read(value: bytes | None, kind: type[Any]) -> Any:
    """None for a tombstone, or for what a newer writer wrote."""
    try:
        return decode(value, kind) if value is not None else None
    except InvalidMessage:
        return None
