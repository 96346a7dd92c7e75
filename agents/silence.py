"""Brands that wait for time to pass, and how far event time has come where nothing is heard.

Nothing tells a hop that a brand is silent but the clock. A partition's event time goes on from the
newest that was heard in it, at the clock's pace: a replay and a backlog keep the time that they
have come to. Like the timers of `agents.timetable` this is made from the states after a start.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from agents.flow import Ledger
from agents.timetable import Owned
from listener.brand import BrandPolicy, BrandState, due
from listener.ports import Clock


class Pulse(NamedTuple):
    """Event time `newest` was heard at `at`, by the clock."""

    newest: float
    at: float


class Wait(NamedTuple):
    partition: int
    due: int
    """Event time that has to come."""
    since: float
    """When the brand was last heard or looked at, by the clock."""


class Silence:
    """Which brand's windows time alone completes, once nothing has come of it for long enough."""

    def __init__(
        self,
        brands: Ledger[BrandState],
        *,
        policy: BrandPolicy,
        clock: Clock,
        owned: Owned = lambda: None,
    ) -> None:
        self._brands = brands
        self._policy = policy
        self._clock = clock
        self._owned = owned
        self._pulses: dict[int, Pulse] = {}
        self._waits: dict[str, Wait] = {}
        self._ready = False

    async def ready(self) -> None:
        """Reads every state of ours, after a start or a rebalance; else returns at once. The
        silence is counted from then: what has not been read yet is no silence."""
        if self._ready:
            return
        # A brand's state is large to decode: the event loop gets its turn between two.
        async for brand, partition, state in self._brands.ours(self._owned(), breath=1):
            heard = max((path.heard for path in state.paths.values()), default=0.0)
            self._pulse(partition, Pulse(state.watermark, heard))
            self.note(brand, partition, state)
        self._ready = True

    def hear(self, brand: str, partition: int, at: datetime, state: BrandState) -> None:
        """A mention of event time `at` was taken in."""
        self._pulse(partition, Pulse(at.timestamp(), self._clock().timestamp()))
        self.note(brand, partition, state)

    def note(self, brand: str, partition: int, state: BrandState) -> None:
        """A state has changed."""
        at = due(state, self._policy)
        if at is None:
            self._waits.pop(brand, None)
        else:
            self._waits[brand] = Wait(partition, at, self._clock().timestamp())

    def over(self) -> list[tuple[str, int, datetime]]:
        """Brands that have been silent for long enough, their partitions, and the event time that
        has come there. Each is to be noted again."""
        clock = self._clock().timestamp()
        found = []
        for brand, wait in self._waits.items():
            pulse = self._pulses[wait.partition]
            now = pulse.newest + clock - pulse.at
            if clock - wait.since >= self._policy.silence_seconds and now >= wait.due:
                found.append((brand, wait.partition, datetime.fromtimestamp(now, UTC)))
        return found

    def clear(self) -> None:
        """The partitions may have moved: to be read anew."""
        self._pulses.clear()
        self._waits.clear()
        self._ready = False

    def _pulse(self, partition: int, pulse: Pulse) -> None:
        known = self._pulses.get(partition)
        if known is None or pulse.newest > known.newest:
            self._pulses[partition] = pulse
