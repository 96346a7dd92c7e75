"""How much one person may ask in a time."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

MOST_NAMES: Final = 10_000


class Limit:
    """A bucket of `burst` requests for each name, filled at `rate` a second."""

    def __init__(
        self, *, rate: float, burst: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, name: str) -> float:
        """Takes one; 0.0, or the seconds until the next may come."""
        now = self._clock()
        left, at = self._left.pop(name, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        if len(self._left) >= MOST_NAMES:
            # The one that was silent longest has a full bucket by now.
            del self._left[next(iter(self._left))]
        if left < 1.0:
            self._left[name] = (left, now)
            return (1.0 - left) / self._rate
        self._left[name] = (left - 1.0, now)
        return 0.0
