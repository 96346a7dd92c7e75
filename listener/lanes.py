"""Runs one hop on a Faust stream: read → hop → emit → acknowledge, each in its own task.

Between them bounded queues, so a slow sink or model stops the reading of its own partitions and
nothing else: they are paused, because one full queue would hold up every topic of the worker (Faust
hands messages out one after the other). A batch is whatever has come while the hop was busy: one
message leaves at once when it is idle, and batches fill up to `limit` under load.

Of several partitions the message with the oldest time stamp goes first, and a partition that has
more in the log than is at hand is waited for, as Kafka Streams does (KIP-695): a backlog is worked
off in the order in which it came, and windows of event time that many partitions feed need not keep
what the quick ones bring until the slowest has come so far.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from time import perf_counter
from typing import Any, Protocol

from faust.types import TP

from agents.flow import Hop, Incoming, Origin, Outcome, Outgoing

logger = logging.getLogger(__name__)

ORIGIN_HEADER = "listener-origin"
OBSERVED_HEADER = "listener-observed-at"
FULL = 4
"""Batches of one partition that may wait before it is paused; one more fetch may still come."""
IDLE = 0.5
"""Seconds that a partition with a backlog may keep the others waiting, and not again before it has
brought something."""
QUEUED = 2
"""Outcomes that may wait for delivery: enough to keep the hop busy, and memory bounded."""


class Watch(Protocol):
    """What a lane reports; the metrics implement it."""

    def took(self, hop: str, *, records: int, seconds: float) -> None: ...

    def sent(self, hop: str, *, topic: str) -> None: ...

    def failed(self, hop: str, *, kind: str) -> None: ...


class Lane:
    """One hop of one worker."""

    def __init__(
        self,
        name: str,
        hop: Hop,
        *,
        engine: Any,
        limit: int,
        gather: float,
        watch: Watch,
        fatal: Callable[[str, BaseException], None],
        tick: float | None = None,
    ) -> None:
        """`limit`: most records of a batch. `gather`: seconds that the first of a batch may wait
        for more, where each batch costs a write of its state. `tick`: seconds between two empty
        batches, which tell the hop that time has passed; None: it has no timers."""
        self.name = name
        self._hop = hop
        self._engine = engine
        self._limit = limit
        self._gather = gather
        self._watch = watch
        self._fatal = fatal
        self._tick = tick
        self._settled = False
        self._last_tick = 0.0
        self._waiting: dict[TP, deque[Any]] = {}
        self._known: set[TP] = set()
        """Partitions that may be waited for."""
        self._arrived = asyncio.Event()
        self._paused: set[TP] = set()
        self._refused = -1
        self._done: asyncio.Queue[tuple[list[Any], Outcome]] = asyncio.Queue(QUEUED)
        self._taken: deque[tuple[list[Any], float]] = deque()
        self._busy = 0

    async def __call__(self, stream: Any) -> None:
        """The agent: reads events without acknowledging them."""
        tasks = [self._task(self._work()), self._task(self._emit())]
        try:
            stream.enable_acks = False
            async for event in stream.events():
                self._put(event)
        finally:
            for task in tasks:
                task.cancel()

    def settle(self) -> None:
        """The partitions are assigned and their state is restored: ticks may come."""
        self._settled = True
        self._last_tick = perf_counter()

    async def drain(self, *, deadline: float) -> None:
        """Forget what has not begun, and wait until what has begun is delivered.

        Whatever still comes of this generation is refused: it will be read again.
        """
        self._refused = self._engine.consumer_generation_id
        self._settled = False
        self._waiting.clear()
        self._known.clear()
        self._make_room()
        ends = perf_counter() + deadline
        while self._busy and perf_counter() < ends:
            await asyncio.sleep(0.01)

    def _task(self, lane: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(lane)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fatal(self.name, error)

    def _put(self, event: Any) -> None:
        if event.message.generation_id <= self._refused:
            return
        # The message's own `tp` is aiokafka's, which Faust's consumer does not take.
        place = TP(event.message.topic, event.message.partition)
        if not self._engine.consumer.takes(place, event.message.offset):
            return
        self._known.add(place)
        queue = self._waiting.setdefault(place, deque())
        queue.append(event)
        self._arrived.set()
        if place not in self._paused and len(queue) >= FULL * self._limit:
            self._paused.add(place)
            # Not `pause_partitions`: that drops what has been fetched already.
            self._engine.consumer.on_buffer_full(place)

    def _make_room(self) -> None:
        for place in [p for p in self._paused if len(self._waiting.get(p, ())) <= self._limit]:
            self._paused.discard(place)
            self._engine.consumer.on_buffer_drop(place)

    async def _batches(self) -> AsyncIterator[list[Incoming]]:
        while True:
            events = await self._take()
            self._make_room()
            self._busy += 1
            self._taken.append((events, perf_counter()))
            yield [incoming(event) for event in events]

    async def _take(self) -> list[Any]:
        """What waits; nothing, if it is time for a tick."""
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._something()
                if self._time_has_come():
                    return []
            if self._gather and sum(map(len, self._waiting.values())) < self._limit:
                await asyncio.sleep(self._gather)
            if self._time_has_come():
                return []
            await self._others()
            if events := list(islice(self._oldest(), self._limit)):
                return events

    async def _others(self) -> None:
        """Returns when each partition with a backlog has something here, or has had its time."""
        if not any(map(self._awaits, self._known)):
            return
        try:
            async with asyncio.timeout(IDLE):
                while any(map(self._awaits, self._known)):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            self._known = {place for place in self._known if not self._awaits(place)}

    def _awaits(self, place: TP) -> bool:
        return place not in self._waiting and self._engine.consumer.lags(place)

    async def _something(self) -> None:
        """Returns when an event has arrived, or when it is time to look at the clock."""
        if self._tick is None:
            await self._arrived.wait()
            return
        with suppress(TimeoutError):
            rest = self._last_tick + self._tick - perf_counter()
            async with asyncio.timeout(rest if rest > 0 else self._tick):
                await self._arrived.wait()

    def _time_has_come(self) -> bool:
        """Never between a rebalance and the restored state: what is due there is not known."""
        if self._tick is None or perf_counter() < self._last_tick + self._tick:
            return False
        if not self._settled or self._engine.rebalancing or self._engine.in_recovery:
            return False
        self._last_tick = perf_counter()
        return True

    def _oldest(self) -> Iterator[Any]:
        """Takes what waits, in each partition's order and by time stamp across them, until one
        with a backlog has nothing left here."""
        while self._waiting:
            place = min(self._waiting, key=lambda p: self._waiting[p][0].message.timestamp)
            event = self._waiting[place].popleft()
            if not self._waiting[place]:
                del self._waiting[place]
            yield event
            if place in self._known and self._awaits(place):
                return

    async def _work(self) -> None:
        async for outcome in self._hop(self._batches()):
            events: list[Any] = []
            if outcome.last:
                events, began = self._taken.popleft()
                if events:
                    self._watch.took(self.name, records=len(events), seconds=perf_counter() - began)
            await self._done.put((events, outcome))
            if not outcome.last:
                # The hop has done something that cannot be undone: no more before it is on record.
                await self._done.join()

    async def _emit(self) -> None:
        while True:
            events, outcome = await self._done.get()
            await self._deliver(outcome.outputs)
            await self._deliver(outcome.state)
            await self._acknowledge(events)
            self._done.task_done()
            if outcome.last:
                self._busy -= 1

    async def _deliver(self, records: list[Outgoing]) -> None:
        """Sends in order and waits for all. What failed is sent again, with all that followed it:
        a reader knows a repeated record by its origin, but not one that came too late."""
        pause = 0.1
        while records:
            sent = [await self._send(record) for record in records]
            results = await asyncio.gather(*sent, return_exceptions=True)
            failed = next((n for n, r in enumerate(results) if isinstance(r, BaseException)), None)
            if failed is None:
                return
            logger.warning("%s: broker refused a record (%r), again", self.name, results[failed])
            self._watch.failed(self.name, kind=type(results[failed]).__name__)
            records = records[failed:]
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _send(self, record: Outgoing) -> Awaitable[Any]:
        headers = None
        if record.origin is not None:
            headers = [(ORIGIN_HEADER, record.origin.header())]
        self._watch.sent(self.name, topic=record.topic)
        try:
            delivered: Awaitable[Any] = await self._engine.producer.send(
                record.topic, record.key, record.value, record.partition, None, headers
            )
        except Exception as error:  # noqa: BLE001 - answered like a failed delivery
            return _raise(error)
        return delivered

    async def _acknowledge(self, events: list[Any]) -> None:
        generation = self._engine.consumer_generation_id
        for event in events:
            # After a rebalance the partition may be another worker's.
            if event.message.generation_id == generation:
                with suppress(asyncio.InvalidStateError):
                    event.ack()


async def _raise(error: Exception) -> None:
    raise error


def incoming(event: Any) -> Incoming:
    """A Faust event as the hops know it."""
    message = event.message
    headers = message.headers or {}
    headers = headers if isinstance(headers, dict) else dict(headers)
    origin = headers.get(ORIGIN_HEADER)
    return Incoming(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        observed_at=_observed(headers.get(OBSERVED_HEADER), message.timestamp),
        origin=Origin.parse(origin) if origin else None,
    )


def _observed(header: bytes | None, timestamp: float) -> datetime:
    """When the message was seen: as its header says (a replay's own time), else as Kafka does."""
    if header is not None:
        with suppress(ValueError, OverflowError):
            return datetime.fromtimestamp(int(header) / 1000, UTC)
    return datetime.fromtimestamp(timestamp, UTC)
