"""Server-sent events: what changed in the read model, to every open page."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Final, NamedTuple

import msgspec

KEPT: Final = 2000
"""Events that one who comes back may still get."""
GATHER_SECONDS: Final = 0.5
"""Changes of this time go out together, each once."""
HEARTBEAT_SECONDS: Final = 15.0
FIRST: Final = "retry: 2000\n\n"


class Change(NamedTuple):
    """`kind`: alert, brand, fit, mentions or letters; `key`: which one, where it matters."""

    kind: str
    key: str = ""


class Hub:
    """Hands changes to any number of streams; one list for all of them."""

    def __init__(self) -> None:
        # Numbers begin anew with the process; one who comes back must not mistake them.
        self._epoch = secrets.token_hex(4)
        self._sent: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self._number = 0
        self._pending: dict[Change, None] = {}
        self._flushing: asyncio.TimerHandle | None = None
        self._news = asyncio.Event()
        self._closer: asyncio.Task[None] | None = None
        self.streams = 0

    def publish(self, changes: Iterable[Change]) -> None:
        """Called on the event loop after each write."""
        self._pending.update(dict.fromkeys(changes))
        if self._pending and self._flushing is None:
            loop = asyncio.get_running_loop()
            self._flushing = loop.call_later(GATHER_SECONDS, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        for change in self._pending:
            self._number += 1
            data = msgspec.json.encode(change._asdict()).decode()
            text = f"id: {self._epoch}-{self._number}\nevent: change\ndata: {data}\n\n"
            self._sent.append((self._number, text))
        self._pending.clear()
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def stream(self, last: str | None, closing: asyncio.Event) -> AsyncIterator[str]:
        """Text of the events after `last`; `reset` where they are not known any more."""
        seen = self._resume(last)
        self.streams += 1
        if self._closer is None:
            self._closer = asyncio.ensure_future(self._wake(closing))
        try:
            yield FIRST
            if seen is None:
                seen = self._number
                yield f"id: {self._epoch}-{seen}\nevent: reset\ndata: {{}}\n\n"
            while not closing.is_set():
                news = self._news
                text = "".join(self._after(seen))
                seen = self._number
                if text:
                    yield text
                if not await _within(news):
                    yield ": still here\n\n"
        finally:
            self.streams -= 1

    async def _wake(self, closing: asyncio.Event) -> None:
        """One for all streams: a task for each of them and each change would cost more than the
        changes."""
        await closing.wait()
        self._news.set()

    def _resume(self, last: str | None) -> int | None:
        if last is None:
            return self._number
        epoch, _, number = last.partition("-")
        oldest = self._sent[0][0] if self._sent else self._number + 1
        if epoch != self._epoch or not number.isdecimal() or len(number) > 18:
            return None
        return int(number) if oldest - 1 <= int(number) <= self._number else None

    def _after(self, seen: int) -> list[str]:
        missing = self._number - seen
        if missing > len(self._sent):
            return [f"id: {self._epoch}-{self._number}\nevent: reset\ndata: {{}}\n\n"]
        return [self._sent[i][1] for i in range(len(self._sent) - missing, len(self._sent))]


async def _within(news: asyncio.Event) -> bool:
    """Whether there was news before the next sign of life is due."""
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            await news.wait()
    except TimeoutError:
        return False
    return True
