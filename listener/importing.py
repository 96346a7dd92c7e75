"""Sends a file of customers to their topic: only what differs from what is there."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from listener.codec import encode
from listener.columns import parse_mapping
from listener.contacts import contacts_of
from listener.customers import Row, read_customers
from listener.feed import SEND_AHEAD, connected, partitions_of, producer
from listener.settings import Settings
from listener.topics import CUSTOMERS

EVERY = 500
"""Rows between two reports of progress."""
LINE_EVERY = 100_000
"""Rows between two lines where there is no terminal."""


class Summary(msgspec.Struct, kw_only=True):
    """What became of a file's rows."""

    sent: int = 0
    """New or changed."""
    unchanged: int = 0
    erased: int = 0
    bad: int = 0


Tell = Callable[[Row], None]
Report = Callable[[int, Row], None]
"""Called with the number of rows read, and the last of them."""


async def import_file(
    settings: Settings,
    file: Path | None,
    *,
    mapping: Sequence[str],
    erase: Sequence[str],
    console: Console,
) -> Summary:
    """Erases these ids, then sends a file; bad rows and the progress are shown on the console."""
    rows: Iterable[Row] = [Row(0, customer_id) for customer_id in erase]
    if file is not None:
        seal = contacts_of(settings).sealed
        rows = chain(rows, read_customers(file, mapping=parse_mapping(mapping), seal=seal))

    def bad(row: Row) -> None:
        text = f"{file}, line {row.line}: {row.fault}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    size = file.stat().st_size if file is not None and file.is_file() else 0
    with shown(console, size) as progress:
        return await import_rows(settings, rows, bad=bad, progress=progress)


@contextmanager
def shown(console: Console, size: int) -> Iterator[Report]:
    """A bar on a terminal, else a line now and then. `size`: bytes of the whole file."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("customers", total=size or None)

        def report(rows: int, last: Row) -> None:
            text = f"{rows:,} customers"
            bar.update(task, completed=last.read, description=text)
            if not console.is_terminal and rows and rows % LINE_EVERY == 0:
                share = f", {last.read / size:.0%} of the file" if size else ""
                console.print(f"{text} read{share}", highlight=False)

        yield report


async def import_rows(
    settings: Settings, rows: Iterable[Row], *, bad: Tell, progress: Report
) -> Summary:
    """Sends every good row that is not on the topic as it is. `bad` is told of each bad row."""
    summary = Summary()
    present = await sent_before(settings)
    async with connected(settings, producer(settings)) as client:
        pending: list[Any] = []
        for number, row in enumerate(rows, 1):
            value = _value(row, present, summary, bad)
            if value is not False:
                key = row.customer_id.encode()
                pending.append(await client.send(CUSTOMERS.name, value, key))
            if len(pending) >= SEND_AHEAD:
                await asyncio.gather(*pending)
                pending.clear()
            if number % EVERY == 0:
                progress(number, row)
        await asyncio.gather(*pending)
    return summary


def _value(row: Row, present: Sent, summary: Summary, bad: Tell) -> bytes | None | bool:
    """What to send of a row; False for nothing. Counts it."""
    if row.fault is not None:
        summary.bad += 1
        bad(row)
        return False
    value = encode(row.customer) if row.customer is not None else None
    if present.has(row.customer_id.encode(), value):
        summary.unchanged += 1
        return False
    if value is None:
        summary.erased += 1
    else:
        summary.sent += 1
    return value


class Sent:
    """Which record each customer has on the topic: 16 bytes a customer."""

    def __init__(self) -> None:
        self._keys = array("Q")
        self._values = array("Q")
        self._sorted: tuple[Any, Any] | None = None

    def add(self, key: bytes, value: bytes | None) -> None:
        """In the order of the topic."""
        self._keys.append(_digest(key))
        self._values.append(0 if value is None else _digest(value))

    def has(self, key: bytes, value: bytes | None) -> bool:
        if self._sorted is None:
            keys = np.frombuffer(self._keys, np.uint64)
            order = np.argsort(keys, kind="stable")
            self._sorted = keys[order], np.frombuffer(self._values, np.uint64)[order]
        keys, values = self._sorted
        place = int(np.searchsorted(keys, np.uint64(_digest(key)), side="right")) - 1
        found = place >= 0 and int(keys[place]) == _digest(key)
        return found and int(values[place]) == (0 if value is None else _digest(value))


def _digest(content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=8).digest()) or 1


async def sent_before(settings: Settings) -> Sent:
    """What is on the topic now. Raises BrokerError where there is no topic."""
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **settings.kafka)
    sent = Sent()
    async with connected(settings, consumer):
        places = await partitions_of(consumer, CUSTOMERS.name)
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while [p for p in places if await consumer.position(p) < ends[p]]:
            for messages in (await consumer.getmany(timeout_ms=200)).values():
                for message in messages:
                    sent.add(message.key or b"", message.value)
    return sent
