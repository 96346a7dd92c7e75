"""Faust as this project needs it: guarded commits, no leader topic, raw bytes.

Three repairs, each with a test that fails without it:

- faust-streaming issue 606: with acknowledgements out of order `Consumer._new_offset` may commit an
  offset above a message that is still in flight, or above one that was dropped between the fetch
  and the stream; a kill then loses it. Commits follow `ReadingOrder` instead.
- a changelog, which nobody reads after the start, is no stalled stream;
- topics are ours to create: Faust's leader topic and declarations are off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
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


class GuardedConsumer(AIOKafkaConsumer):
    """Hands each partition out in its order, without a hole, and commits only what is done."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order = ReadingOrder()
        self._read_offset = _Unread()
        self._rereading: dict[TP, asyncio.Task[None]] = {}
        self._behind: dict[TP, int] = {}

    def takes(self, place: TP, offset: int) -> bool:
        """Whether a record that has arrived is the next to process. One that is not is forgotten;
        it, or what is missing before it, is read again."""
        if place in self._rereading:
            return False
        verdict = self.order.verdict(place, offset)
        if verdict is Verdict.GAP:
            self._read_again(place)
        return verdict is Verdict.TAKE

    def _read_again(self, place: TP) -> None:
        self._rereading[place] = asyncio.ensure_future(self._go_back(place))

    async def _go_back(self, place: TP) -> None:
        expected = self.order.expected(place)
        logger.warning("%s.%d: offset %s did not come; reading again from there", *place, expected)
        try:
            if expected is not None:
                await self.seek_wait({place: expected})
                self.order.again(place)
        except (KafkaError, TimeoutError) as error:
            # Reassigned meanwhile, or no broker: the next record that comes will ask again.
            logger.warning("%s.%d: cannot go back (%r)", *place, error)
        finally:
            del self._rereading[place]

    def ack(self, message: Any) -> bool:
        self.order.acknowledge(TP(message.topic, message.partition), message.offset)
        return bool(super().ack(message))

    async def perform_seek(self) -> None:
        await super().perform_seek()
        places = [p for p in map(_place, self.assignment()) if not _is_changelog(p)]
        # None or -1: the group has committed nothing yet; 0 may be gone from the log already.
        starts = {p: offset for p in places if (offset := self._committed_offset[p] or 0) > 0}
        fresh = [place for place in places if place not in starts]
        if fresh:
            starts |= await self.earliest_offsets(*fresh)
        for place, offset in starts.items():
            self.order.begin(_place(place), offset)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        for place in revoked:
            self.order.forget(_place(place))
        await super().on_partitions_revoked(revoked)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        records = await super()._getmany(active_partitions, timeout)
        for place, found in records.items():
            if not _is_changelog(place):
                self.order.fetched(_place(place), [record.offset for record in found])
        if not records:
            self._look_for_dropped()
        return records

    def _look_for_dropped(self) -> None:
        """A dropped record that no other follows is missed when nothing has come twice."""
        behind = self.order.behind()
        for place, expected in behind.items():
            if self._behind.get(place) == expected and place not in self._rereading:
                self._read_again(place)
        self._behind = behind

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
        consumer_max_fetch_size=4 * 1024 * 1024,
        # Larger than one poll: a lane takes everything at once and pauses its topics itself.
        stream_buffer_maxsize=4096,
        broker_max_poll_records=512,
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
