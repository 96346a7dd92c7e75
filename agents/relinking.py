"""When the directory has changed, which subjects are to be looked at, and whose they are now."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from listener.identity import Guesser, LinkPolicy, Sender, relinked
from listener.ports import Clock, Directory
from listener.records import Author, Hints, Link

REST: Final = timedelta(seconds=30)
"""From one sweep over all open alerts to the next: an import changes the directory all the time."""


class Relinking:
    """One worker's sweeps."""

    def __init__(
        self, directory: Directory, policy: LinkPolicy, *, guess: Guesser | None, clock: Clock
    ) -> None:
        self._directory = directory
        self._policy = policy
        self._guess = guess
        self._clock = clock
        self._seen = directory.version
        self._swept: datetime | None = None
        self._waiting: deque[str] = deque()

    def due(self, keys: Callable[[], list[str]], *, most: int) -> Iterator[str]:
        """The next subjects of a sweep, each once a change; none while nothing has changed."""
        if not self._waiting and self._directory.version != self._seen and self._rested():
            self._seen = self._directory.version
            self._waiting.extend(keys())
        for _ in range(min(most, len(self._waiting))):
            yield self._waiting.popleft()

    def resolve(self, before: Link, network: str, author: Author, hints: Hints) -> Link | None:
        """The link that would now result; None: the one before."""
        found = relinked(
            before,
            Sender(network, author, hints),
            self._directory.find,
            self._policy,
            now=self._clock(),
            guess=self._guess,
        )
        return found[0] if found else None

    def _rested(self) -> bool:
        now = self._clock()
        if self._swept is not None and now - self._swept < REST:
            return False
        self._swept = now
        return True
