"""Faust as this project needs it: guarded commits, no leader topic, raw bytes.

Repairs, each with a test that fails without it:

- faust-streaming issue 606: with acknowledgements out of order `Consumer._new_offset` may commit an
  offset above a message that is still in flight, or above one that was dropped between the fetch
  and the stream; a kill then loses it. Commits follow `ReadingOrder` instead.
- a seek does not wait for a fetch that is under way, and what that fetch brings is dropped while
  the flow is stopped, as in every rebalance: a backlog, or a recovery, then waits for ever.
- a changelog, which nobody reads after the start, is no stalled stream;
- topics are ours to create: Faust's leader topic and declarations are off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.auth import SASLCredentials, SSLCredentials
from faust.transport.drivers.aiokafka import Consumer as AIOKafkaConsumer
from faust.transport.drivers.aiokafka import Transport as AIOKafkaTransport
from faust.types import TP

from listener.reading import ReadingOrder, Verdict
from listener.settings import Settings
from listener.topics import STATE_PREFIX, Topic

logger = logging.getLogger(__name__)

LINGER = 0.005
"""Seconds that a record may wait for others to the same broker."""
SEEK_SECONDS = 15.0
"""How long a seek may take; a rebalance can leave it without an answer."""
RETRY = 0.5
"""Seconds between two attempts to seek."""
OVERDUE = 1.0
"""Seconds after which a record that was fetched must have come to its hop, and the same again."""


class GuardedConsumer(AIOKafkaConsumer):
    """Hands each partition out in its order, without a hole, and commits only what is done.

    Seeks wait for the end of a fetch that is under way: of what comes in meanwhile nobody could say
    whether it was read before the seek or after it, and Faust drops it while its flow is stopped:
    the end of a backlog would never come, and a recovery never end.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order = ReadingOrder()
        self._read_offset = _Unread()
        self._fetching = asyncio.Lock()
        self._assigned: object | None = None
        self._gaps: set[TP] = set()
        self._ends: dict[TP, int] = {}
        self._behind: dict[TP, int] = {}
        self._looked = 0.0

    def takes(self, place: TP, offset: int) -> bool:
        """Whether a record that has arrived is the next to process. One that is not is forgotten;
        it, or what is missing before it, is read again."""
        verdict = self.order.verdict(place, offset)
        if verdict is Verdict.GAP:
            self._gaps.add(place)
        return verdict is Verdict.TAKE

    def lags(self, place: TP) -> bool:
        """Whether the log was known to hold more than has come, when it was last read."""
        expected = self.order.expected(place)
        return expected is not None and expected < self._ends.get(place, 0)

    def ack(self, message: Any) -> bool:
        self.order.acknowledge(TP(message.topic, message.partition), message.offset)
        return bool(super().ack(message))

    async def perform_seek(self) -> None:
        """Has the next fetch begin where the group has committed."""
        self._assigned = object()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self._assigned = None
        for place in map(_place, revoked):
            self.order.forget(place)
            self._gaps.discard(place)
            self._ends.pop(place, None)
        await super().on_partitions_revoked(revoked)

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """For a recovery, which reads its changelogs from there."""
        async with self._fetching:
            await super().seek_wait(partitions)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        async with self._fetching:
            if not await self._sought():
                return {}
            # A copy: Faust empties its set in a rebalance, and an empty one means all partitions.
            records = await super()._getmany(set(active_partitions or ()), timeout)
        if self._assigned is not None:
            return {}
        for tp, found in records.items():
            place = _place(tp)
            # A changelog is in no order, nor is what was revoked while the fetch was under way.
            if self.order.expected(place) is not None:
                self.order.fetched(place, [record.offset for record in found])
                self._ends[place] = self.highwater(place) or 0
        self._look_for_dropped()
        return records

    async def _sought(self) -> bool:
        try:
            async with asyncio.timeout(SEEK_SECONDS):
                await self._seek_assigned()
                await self._seek_gaps()
        except (KafkaError, TimeoutError) as error:
            # Reassigned meanwhile, or no broker.
            logger.warning("cannot go to the place to read from (%r), again", error)
            await asyncio.sleep(RETRY)
            return False
        return True

    async def _seek_assigned(self) -> None:
        assigned = self._assigned
        if assigned is None:
            return
        places = [p for p in map(_place, self.assignment()) if not _is_changelog(p)]
        committed = await self._thread.call_thread(self._committed, places)
        # None: the group has committed nothing yet; 0 may be gone from the log already.
        starts = {place: offset for place, offset in committed.items() if offset}
        fresh = [place for place in places if place not in starts]
        if fresh:
            earliest = await self.earliest_offsets(*fresh)
            starts |= {_place(tp): offset for tp, offset in earliest.items()}
        await super().seek_wait(starts)
        if self._assigned is assigned:
            self._assigned = None
            self._committed_offset.update(committed)
            for place, offset in starts.items():
                self.order.begin(place, offset)

    async def _committed(self, places: list[TP]) -> dict[TP, int | None]:
        client = self._thread._ensure_consumer()
        found = await asyncio.gather(*(client.committed(place) for place in places))
        return dict(zip(places, found, strict=True))

    async def _seek_gaps(self) -> None:
        for place in list(self._gaps):
            expected = self.order.expected(place)
            if expected is not None:
                logger.warning(
                    "%s.%d: offset %d did not come; reading again from there", *place, expected
                )
                await super().seek_wait({place: expected})
                self.order.again(place, expected)
            self._gaps.discard(place)

    def _look_for_dropped(self) -> None:
        """A dropped record that no other follows is missed when it has not come for a while."""
        if monotonic() < self._looked + OVERDUE:
            return
        behind = self.order.behind()
        self._gaps |= {p for p, expected in behind.items() if self._behind.get(p) == expected}
        self._behind, self._looked = behind, monotonic()

    def _new_offset(self, tp: TP) -> int | None:
        offset = self.order.committable(tp)
        if offset is not None:
            self._acked[tp][:] = [acked for acked in self._acked[tp] if acked >= offset]
            self._acked_index[tp].intersection_update(self._acked[tp])
        return offset

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: `order` knows which offsets the log lacks, and this list would only grow."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        # Changelogs are read once, at the start; Faust would call each a stalled stream for ever.
        if not _is_changelog(tp):
            super().verify_event_path(now, tp)


class _Unread(dict[TP, int | None]):
    """Faust's own note of what it has read, kept empty: a fetch that is handed out while a seek
    goes on moves it ahead again, and what is then read anew is dropped in silence."""

    def __missing__(self, place: TP) -> None:
        return None

    def __setitem__(self, place: TP, offset: int | None) -> None:
        pass

    def update(self, *_: Any, **__: Any) -> None:
        pass


def _place(tp: Iterable[Any]) -> TP:
    """Faust's own kind of pair; aiokafka's is equal to it, but Faust does not take it."""
    return TP(*tp)


def _is_changelog(tp: Any) -> bool:
    return bool(tp.topic.startswith(STATE_PREFIX))


class GuardedTransport(AIOKafkaTransport):
    Consumer = GuardedConsumer


class Engine(faust.App):
    """The Faust application of one worker."""

    def _new_transport(self) -> Any:
        return GuardedTransport(self.conf.broker, self, loop=self.loop)

    def _create_directories(self) -> None:
        """None: all state is in the broker, and nothing is left in the folder of the start."""


def build_engine(settings: Settings) -> Engine:
    """An application that is not started yet. Reads no topic until agents are attached."""
    return Engine(
        settings.group,
        broker=[f"kafka://{host.strip()}" for host in settings.broker.split(",")],
        broker_credentials=_credentials(settings),
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        topic_partitions=settings.partitions,
        stream_wait_empty=False,
        table_standby_replicas=0,
        web_enabled=False,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.session_timeout / 6,
        broker_commit_interval=settings.commit_interval,
        consumer_auto_offset_reset="earliest",
        # Without it sending took four tenths of the event loop's time (docs/benchmarks.md).
        producer_linger=LINGER,
        producer_max_batch_size=256 * 1024,
        producer_max_request_size=8 * 1024 * 1024,
        # Of one partition at a time: the others are not far behind when their turn comes.
        consumer_max_fetch_size=256 * 1024,
        # Larger than what is fetched at once: a lane takes it all and pauses its topics itself.
        stream_buffer_maxsize=4096,
        loghandlers=[],
        logging_config=None,
    )


def _credentials(settings: Settings) -> SSLCredentials | SASLCredentials | None:
    if settings.security_protocol.startswith("SASL"):
        secret = settings.sasl_password
        return SASLCredentials(
            username=settings.sasl_username,
            password=secret.get_secret_value() if secret else None,
            mechanism=settings.sasl_mechanism,
            ssl_context=settings.ssl_context,
        )
    return SSLCredentials(settings.ssl_context) if settings.ssl_context else None


def attach(
    engine: Engine,
    name: str,
    topics: Sequence[str],
    runner: Any,
) -> None:
    """Let `runner` (an agent function) read `topics`. Every agent is named."""
    channel = engine.topic(*topics, key_serializer="raw", value_serializer="raw")
    engine.agent(channel, name=name)(runner)


def open_table(engine: Engine, topic: Topic, *, width: int) -> Any:
    """A table whose changelog is `topic`; keys and values are bytes.

    Only its recovery is Faust's: whoever changes it writes the changelog, so that the write can be
    awaited before the input is acknowledged.
    """
    partitions = topic.partitions(width)
    changelog = engine.topic(
        topic.name, key_serializer="raw", value_serializer="raw", partitions=partitions
    )
    return engine.Table(
        topic.name,
        partitions=partitions,
        changelog_topic=changelog,
        recovery_buffer_size=1000,
    )


__all__ = ["Engine", "GuardedConsumer", "KafkaError", "attach", "build_engine", "open_table"]
