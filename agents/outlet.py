"""One receiver's way out: what waits for it, when it may be tried, and the attempt under way."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

import msgspec

from listener.errors import DeliveryDelayed, DeliveryError, DeliveryRefused
from listener.ports import Sink
from listener.receivers import DeliveryPolicy
from listener.records import Alert, Priority

logger = logging.getLogger(__name__)

_RANK: Final[dict[Priority, int]] = {"P1": 1, "P2": 2, "P3": 3}
Draw = Callable[[], float]
"""A number in [0, 1), to spread retries."""


class Watch(Protocol):
    """What delivery reports; the metrics implement it."""

    def delivered(self, sink: str, result: str) -> None: ...

    def sink_state(self, sink: str, *, open: bool, waiting: int) -> None: ...


class Breaker:
    """Stops asking a destination that keeps failing; one probe after each pause.

    Closed: every notice is tried. Open, after `failures` in a row: none. Half open, when the pause
    is over: one; its success closes, its failure doubles the pause.
    """

    def __init__(self, policy: DeliveryPolicy) -> None:
        self._policy = policy
        self._failures = 0
        self._pauses = 0
        self._until: datetime | None = None

    @property
    def open(self) -> bool:
        return self._failures >= self._policy.breaker_failures

    def lets(self, now: datetime) -> bool:
        return self._until is None or now >= self._until

    def away(self, now: datetime) -> bool:
        """Whether the destination is known not to take anything now."""
        return self.open or not self.lets(now)

    def answered(self) -> None:
        """The destination took a notice or refused it: it is there."""
        self._failures, self._pauses, self._until = 0, 0, None

    def failed(self, now: datetime, *, retry_after: float | None) -> None:
        self._failures += 1
        pause = retry_after or 0.0
        if self.open:
            longest = self._policy.breaker_seconds * 2.0**self._pauses
            pause = max(pause, min(longest, self._policy.wait_max_seconds))
            self._pauses = min(self._pauses + 1, 16)
        if pause:
            self._until = now + timedelta(seconds=pause)


class _Waiting(msgspec.Struct):
    rank: int
    since: datetime
    tries: int = 0
    not_before: datetime | None = None
    under_way: bool = False

    def may(self, now: datetime) -> bool:
        """Whether its pause is over."""
        return self.not_before is None or self.not_before <= now


class Result(NamedTuple):
    """What became of one attempt. No error: the receiver has it."""

    outlet: Outlet
    alert: Alert
    error: DeliveryError | None = None
    ref: str | None = None


class Outlet:
    """Keeps alert ids only, some hundred bytes each; the notices themselves are in the state.

    One attempt at a time. The most pressing goes first, and of these the oldest.
    """

    def __init__(self, sink: Sink, policy: DeliveryPolicy, *, draw: Draw, watch: Watch) -> None:
        self.name = sink.name
        self.busy = False
        self._sink = sink
        self._policy = policy
        self._draw = draw
        self._watch = watch
        self._breaker = Breaker(policy)
        self._waiting: dict[str, _Waiting] = {}
        self._ready: list[tuple[int, datetime, str]] = []
        self._later: list[tuple[datetime, str]] = []
        self._attempt: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, alert: Alert, since: datetime) -> None:
        """The newest notice of this alert waits; it takes the place of an older one."""
        entry = _Waiting(_RANK[alert.priority], since)
        old = self._waiting.pop(alert.alert_id, None)
        if old is not None:
            # A destination that just failed with this alert is not asked sooner for its next state.
            entry.tries, entry.not_before = old.tries, old.not_before
            entry.under_way = old.under_way
        self._waiting[alert.alert_id] = entry
        if not entry.under_way:
            heapq.heappush(self._ready, (entry.rank, entry.since, alert.alert_id))

    def drop(self, alert_id: str) -> None:
        self._waiting.pop(alert_id, None)

    def clear(self) -> None:
        """Forgets all, and the attempt under way: its alerts may be another worker's now."""
        if self._attempt is not None:
            self._attempt.cancel()
        self._attempt, self.busy = None, False
        self._waiting.clear()
        self._ready.clear()
        self._later.clear()

    def next(self, now: datetime) -> str | None:
        """The alert that may be tried now."""
        if self.busy or not self._breaker.lets(now):
            return None
        while self._later and self._later[0][0] <= now:
            _, alert_id = heapq.heappop(self._later)
            if (entry := self._waiting.get(alert_id)) is not None and not entry.under_way:
                heapq.heappush(self._ready, (entry.rank, entry.since, alert_id))
        while self._ready:
            rank, since, alert_id = heapq.heappop(self._ready)
            entry = self._waiting.get(alert_id)
            # An entry may stand here twice, or have been replaced by a newer one.
            if entry is not None and (entry.rank, entry.since) == (rank, since) and entry.may(now):
                return alert_id
        return None

    def begin(self, alert: Alert, ref: str, done: Callable[[Result], None]) -> None:
        self._waiting[alert.alert_id].under_way = True
        self.busy = True

        async def attempt() -> None:
            done(await self._try(alert, ref))

        self._attempt = asyncio.ensure_future(attempt())

    async def _try(self, alert: Alert, ref: str) -> Result:
        limit = self._policy.send_seconds
        try:
            async with asyncio.timeout(limit):
                own = await self._sink.send(alert, key=alert.notice_id, ref=ref or None)
        except DeliveryError as error:
            return Result(self, alert, error)
        except TimeoutError:
            return Result(self, alert, DeliveryDelayed(f"no answer in {limit:g} s"))
        except Exception as error:  # noqa: BLE001 - no notice may stop the others
            logger.error("receiver %s: %s in its sink", self.name, type(error).__name__)
            return Result(self, alert, DeliveryRefused(f"{type(error).__name__} in the sink"))
        return Result(self, alert, None, own)

    def ended(self, result: Result, now: datetime) -> None:
        """Takes note of an attempt; a delayed one is tried again after a while."""
        alert_id, error = result.alert.alert_id, result.error
        kind = "delivered" if error is None else "refused"
        if isinstance(error, DeliveryDelayed):
            kind = "delayed"
            self._breaker.failed(now, retry_after=error.retry_after)
        else:
            self._breaker.answered()
        self._watch.delivered(self.name, kind)
        if (entry := self._waiting.get(alert_id)) is not None:
            entry.under_way = False
            entry.tries = entry.tries + 1 if kind == "delayed" else 0
            entry.not_before = now + self._pause(entry.tries)
            heapq.heappush(self._later, (entry.not_before, alert_id))

    def _pause(self, tries: int) -> timedelta:
        """Doubles, with full jitter over its upper half."""
        if not tries:
            return timedelta()
        longest = self._policy.wait_seconds * 2.0 ** min(tries - 1, 16)
        seconds = min(longest, self._policy.wait_max_seconds) * (0.5 + self._draw() / 2)
        return timedelta(seconds=seconds)

    def late(self, alert_id: str, now: datetime) -> bool:
        """Whether an alert has waited past the deadline."""
        entry = self._waiting.get(alert_id)
        limit = timedelta(minutes=self._policy.deadline_minutes)
        return entry is not None and now - entry.since >= limit

    def given_up(self, now: datetime) -> Iterator[str]:
        """Alerts that have waited past the deadline for a destination known to be away."""
        if self._breaker.away(now):
            for alert_id in list(self._waiting):
                if not self.late(alert_id, now):
                    return
                if not self._waiting[alert_id].under_way:
                    yield alert_id

    def surplus(self) -> str | None:
        """The least pressing alert, oldest first, where more wait than may."""
        if len(self._waiting) <= self._policy.waiting:
            return None
        free = (
            (e.rank, -e.since.timestamp(), i) for i, e in self._waiting.items() if not e.under_way
        )
        return max(free, default=(0, 0.0, None))[2]

    def report(self) -> None:
        self._watch.sink_state(self.name, open=self._breaker.open, waiting=len(self._waiting))

    async def close(self) -> None:
        await self._sink.close()
