"""When which key's timer goes off, in memory; and the time of the stream.

The timers themselves are state. This index is made from the table after a start or a rebalance, for
the partitions that this worker has, so that no due time is forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

import msgspec

from agents.flow import Ledger
from listener.ports import Clock

S = TypeVar("S")
LIVE: Final = 60.0
"""Seconds: a stream that lies no further behind goes by the wall clock."""
RECENT: Final = 256
"""Records that tell how far the stream lies behind."""
SLACK: Final = 1000
"""Places of the heap that may be out of date before it is made anew."""
BREATH: Final = 500
"""States that are looked at before the event loop may answer a heartbeat."""

Owned = Callable[[], Container[int] | None]
"""The partitions that this worker has; None: all."""


class Pace(msgspec.Struct):
    """What the stream's clock was when a record came."""

    heard: datetime
    """When the record was observed."""
    behind: float = 0.0
    """Seconds that the stream lay behind the wall clock."""


class StreamClock:
    """The wall clock, less what the stream lies behind it: a replay has a time of its own.

    Of the last records the least late one counts: partitions bring their records a little apart,
    and one old letter that was sent again must not turn a live clock back; a whole backlog may.
    """

    def __init__(self, wall: Clock) -> None:
        self._wall = wall
        self._lags: deque[float] = deque(maxlen=RECENT)
        self._recalled: datetime | None = None

    def hear(self, observed_at: datetime) -> Pace:
        """A record came; returns what its state is to remember."""
        self._lags.append((self._wall() - observed_at).total_seconds())
        return Pace(heard=observed_at, behind=self._behind())

    def recall(self, pace: Pace | None) -> None:
        """After a start: what the newest of the restored states remembers counts."""
        if pace is not None and (self._recalled is None or pace.heard > self._recalled):
            self._recalled = pace.heard
            self._lags.clear()
            self._lags.append(pace.behind)

    def now(self) -> datetime:
        return self._wall() - timedelta(seconds=self._behind())

    def _behind(self) -> float:
        least = min(self._lags, default=0.0, key=abs)
        return least if abs(least) >= LIVE else 0.0


class Timetable(Generic[S]):
    """Due times by key."""

    def __init__(
        self,
        ledger: Ledger[S],
        *,
        due: Callable[[S], datetime | None],
        owned: Owned = lambda: None,
        seen: Callable[[S], None] = lambda state: None,
    ) -> None:
        """`due`: when a state's next timer goes off. `seen`: called for each restored state."""
        self._ledger = ledger
        self._next = due
        self._owned = owned
        self._seen = seen
        self._heap: list[tuple[datetime, str]] = []
        self._due: dict[str, datetime] = {}
        self._ready = False

    async def ready(self) -> None:
        """Reads every state of ours, after a start or a rebalance; else returns at once."""
        if self._ready:
            return
        async for key, _, state in self._ledger.ours(self._owned(), breath=BREATH):
            self._seen(state)
            self.note(key, state)
        self._ready = True

    def note(self, key: str, state: S) -> None:
        """A state has changed."""
        due = self._next(state)
        if due is None:
            self._due.pop(key, None)
        elif self._due.get(key) != due:
            self._due[key] = due
            heappush(self._heap, (due, key))
            if len(self._heap) > 2 * len(self._due) + SLACK:
                # A timer that moves with each message leaves its old places behind.
                self._heap = [(due, key) for key, due in self._due.items()]
                heapify(self._heap)

    def take(self, now: datetime, *, most: int) -> list[str]:
        """Keys whose time has come, earliest first; they are to be noted again."""
        found: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(found) < most:
            due, key = heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                found.append(key)
        return found

    def next(self) -> datetime | None:
        """The earliest due time."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def keys(self) -> list[str]:
        """Every key with a timer, and so every one with an open alert."""
        return list(self._due)

    def clear(self) -> None:
        """The partitions may have moved: to be read anew."""
        self._heap.clear()
        self._due.clear()
        self._ready = False
