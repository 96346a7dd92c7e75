"""What every hop is made of: batches in, batches out, state that is exact after a kill.

A hop is an async generator: it takes batches of `Incoming` and yields, for each batch, one
`Outcome`. An empty batch is a tick: time has passed, and there is nothing to acknowledge. Whoever
runs it delivers the outputs, then the state, and only then acknowledges the batch. After a kill a
batch may come again; every record tells where it first came from (`Origin`), and a state record
knows the last origin it applied, so that nothing counts twice.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterator, MutableMapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from listener.codec import decode, encode
from listener.errors import InvalidMessage
from listener.records import DeadLetter
from listener.topics import DEAD_LETTERS, Topic

S = TypeVar("S")
R = TypeVar("R")
T = TypeVar("T")

FANOUT: Final = 64
"""Most records that one input may give to one key, so that each has a position of its own."""

REMEMBERED: Final = 1000
"""States that are kept decoded, at several times their size; to decode one anew takes little."""

RAW_LIMIT: Final = 4096
"""Bytes of a bad record that its dead letter keeps, once masked."""

MaskBytes = Callable[[bytes], tuple[bytes, bool]]


class Origin(NamedTuple):
    """Where a record first entered, and by which partitions it came.

    Along one path positions only rise, except for records that were sent again after a kill.
    """

    path: str
    position: int

    def header(self) -> bytes:
        return f"{self.path}@{self.position}".encode()

    @classmethod
    def parse(cls, header: bytes) -> Origin:
        path, _, position = header.decode().rpartition("@")
        return cls(path, int(position))


class Incoming(NamedTuple):
    """One record as the broker gave it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    observed_at: datetime
    origin: Origin | None = None

    @property
    def source(self) -> Origin:
        """Its origin; its own place if it has just entered."""
        return self.origin or Origin(f"{self.topic}.{self.partition}", self.offset * FANOUT)

    def onward(self, *, index: int = 0) -> Origin:
        """The origin of the `index`-th record made of this one."""
        if self.origin is None:
            return Origin(self.source.path, self.source.position + index)
        path, position = self.origin
        return Origin(f"{path}/{self.partition}", position + index)


class Outgoing(NamedTuple):
    """One record to send."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    origin: Origin | None = None


class Outcome(NamedTuple):
    """What one batch gave. State is sent only once every output is delivered."""

    outputs: list[Outgoing]
    state: list[Outgoing] = []
    last: bool = True
    """Whether this ends its batch, which may then be acknowledged."""


Batches = AsyncIterator[list[Incoming]]


async def overlapped(
    items: AsyncIterator[T], work: Callable[[T], Awaitable[R]], *, ahead: int = 1
) -> AsyncIterator[R]:
    """The result of `work` on each item, in order; the work of the next ones has begun by then."""
    under_way: asyncio.Queue[asyncio.Future[R] | None] = asyncio.Queue(ahead)

    async def begin() -> None:
        try:
            async for item in items:
                await under_way.put(asyncio.ensure_future(work(item)))
        except Exception as error:  # noqa: BLE001 - raised where the results are read
            await under_way.put(_failed(error))
        else:
            await under_way.put(None)

    beginning = asyncio.ensure_future(begin())
    try:
        while (result := await under_way.get()) is not None:
            yield await result
    finally:
        beginning.cancel()


def _failed(error: Exception) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future


Hop = Callable[[Batches], AsyncIterator[Outcome]]


def send(
    topic: Topic, key: str, record: object, *, of: Incoming | None = None, index: int = 0
) -> Outgoing:
    """`record` on `topic`, made from `of`."""
    origin = of.onward(index=index) if of else None
    return Outgoing(topic.name, key.encode(), encode(record), origin=origin)


def refuse(incoming: Incoming, error: Exception, *, stage: str, mask: MaskBytes) -> Outgoing:
    """The dead letter of a record that this stage can never process."""
    raw, truncated = mask(incoming.value or b"")
    letter = DeadLetter(
        stage=stage,
        error=getattr(error, "reason", f"{type(error).__name__}: {error}")[:500],
        field=getattr(error, "field", "$"),
        topic=incoming.topic,
        partition=incoming.partition,
        offset=incoming.offset,
        raw=raw,
        truncated=truncated,
        at=incoming.observed_at,
    )
    return Outgoing(DEAD_LETTERS.name, incoming.key, encode(letter), origin=incoming.onward())


class Step(Generic[R]):
    """Applies one function to each record of a batch; what it cannot process is refused."""

    def __init__(self, *, stage: str, kind: Any, mask: MaskBytes) -> None:
        self.stage = stage
        self.kind = kind
        self.mask = mask

    def decode(self, batch: list[Incoming], refused: list[Outgoing]) -> list[tuple[Incoming, R]]:
        """The readable records of a batch; dead letters of the rest are added to `refused`."""
        kept: list[tuple[Incoming, R]] = []
        for incoming in batch:
            try:
                kept.append((incoming, decode(incoming.value, self.kind)))
            except InvalidMessage as error:
                refused.append(self.refuse(incoming, error))
        return kept

    def read(self, incoming: Incoming) -> R:
        """One record. Raises InvalidMessage."""
        record: R = decode(incoming.value, self.kind)
        return record

    def refuse(self, incoming: Incoming, error: Exception) -> Outgoing:
        return refuse(incoming, error, stage=self.stage, mask=self.mask)


class Held(msgspec.Struct, Generic[S]):
    """A state record: what it is, and the last position it applied of each path."""

    state: S
    applied: dict[str, int] = {}
    partition: int = -1
    """Where its key lives; -1 in a state of before this was kept."""


class Ledger(Generic[S]):
    """State by key, exact after a kill.

    `table` is the durable copy (bytes, restored from its changelog by whoever runs the hop);
    decoded records are kept for the busiest keys only, so memory is bounded by the table's.
    """

    def __init__(
        self,
        table: MutableMapping[bytes, bytes],
        *,
        topic: Topic,
        kind: type[S],
        remembered: int = REMEMBERED,
        snapshots: bool = True,
    ) -> None:
        """`snapshots`: keep what earlier records of a batch did to a key, so that `drop` forgets
        the last one only; it costs an encoding a record, too much for states of 100 kB and more."""
        self._snapshots = snapshots
        self._table = table
        self._topic = topic
        self._kind: Any = Held[kind]  # type: ignore[valid-type]  # a type made at run time
        self._new = kind
        self._remembered = remembered
        self._cache: OrderedDict[bytes, Held[S]] = OrderedDict()
        self._touched: dict[bytes, int] = {}
        self._gone: dict[bytes, int] = {}
        self._saved: dict[bytes, bytes] = {}

    def open(self, key: str, incoming: Incoming) -> S | None:
        """The state of `key`, to be changed by this record; None if it did so before."""
        raw = key.encode()
        held = self._held(raw)
        path, position = incoming.source
        path = path if incoming.origin is None else f"{path}/{incoming.partition}"
        held.partition = incoming.partition
        self._touch(raw, held)
        if held.applied.get(path, -1) >= position:
            return None
        held.applied[path] = position
        return held.state

    def wake(self, key: str) -> S:
        """The state of `key`, to be changed because its time has come."""
        held = self._held(key.encode())
        self._touch(key.encode(), held)
        return held.state

    def peek(self, key: str) -> S:
        """The state of `key`, to be read."""
        return self._held(key.encode()).state

    def encoded(self) -> Iterator[tuple[str, bytes]]:
        """Every durable copy as it is, to be searched without decoding all."""
        for key in list(self._table):
            yield bytes(key).decode(), self._table[key]

    def states(self) -> dict[str, S]:
        """Every state there is, decoded: for tables of a few hundred keys."""
        keys = {bytes(key) for key in self._table} | set(self._cache)
        return {key.decode(): self._held(key).state for key in keys}

    def scan(self) -> Iterator[tuple[str, int, S]]:
        """Every key with its partition and state, decoded one by one, to be read."""
        for key in {bytes(key) for key in self._table} | set(self._cache):
            held = self._cache.get(key) or self._load(key)
            yield key.decode(), held.partition, held.state

    async def ours(
        self, partitions: Container[int] | None, *, breath: int
    ) -> AsyncIterator[tuple[str, int, S]]:
        """The same of these partitions (None: all); after every `breath` states the event loop may
        answer a heartbeat."""
        for number, (key, partition, state) in enumerate(self.scan(), 1):
            if number % breath == 0:
                await asyncio.sleep(0)
            if partitions is None or partition < 0 or partition in partitions:
                yield key, partition, state

    def forget(self, key: str) -> None:
        """Nothing is kept of `key` any longer, nor what it had applied: only for the long quiet."""
        raw = key.encode()
        self._gone[raw] = self._held(raw).partition
        self._touched.pop(raw, None)

    def drop(self, key: str) -> None:
        """Forget a change that failed half-way: what was before it counts again; without snapshots,
        what was before the batch."""
        raw = key.encode()
        saved = self._saved.pop(raw, None)
        if saved is not None:
            self._cache[raw] = decode(saved, self._kind)
            return
        with suppress(KeyError):
            del self._cache[raw]
        self._touched.pop(raw, None)

    def clear(self) -> None:
        """Forget what is decoded: the partitions may have moved."""
        self._cache.clear()
        self._touched.clear()
        self._gone.clear()
        self._saved.clear()

    def written(self) -> list[Outgoing]:
        """Changelog records of what changed since the last call."""
        records = [self._write(key, partition) for key, partition in self._touched.items()]
        records += [self._bury(key, partition) for key, partition in self._gone.items()]
        self._touched.clear()
        self._gone.clear()
        self._saved.clear()
        while len(self._cache) > self._remembered:
            self._cache.popitem(last=False)
        return records

    def _touch(self, key: bytes, held: Held[S]) -> None:
        if self._snapshots and key in self._touched:
            # An earlier record of the batch has changed it: that must outlive a failure of this.
            self._saved[key] = encode(held)
        self._gone.pop(key, None)
        self._touched[key] = held.partition

    def _bury(self, key: bytes, partition: int) -> Outgoing:
        self._cache.pop(key, None)
        with suppress(KeyError):
            del self._table[key]
        return Outgoing(self._topic.name, key, None, partition=partition)

    def _write(self, key: bytes, partition: int) -> Outgoing:
        value = encode(self._cache[key])
        self._table[key] = value
        return Outgoing(self._topic.name, key, value, partition=partition)

    def _held(self, key: bytes) -> Held[S]:
        held = self._cache.get(key)
        if held is None:
            held = self._load(key)
            self._cache[key] = held
        else:
            self._cache.move_to_end(key)
        return held

    def _load(self, key: bytes) -> Held[S]:
        value = self._table.get(key)
        if value is None:
            return Held(self._new(), {})
        held: Held[S] = decode(value, self._kind)
        return held
