"""In which order records are taken, and up to where they may be committed.

Around a rebalance, a seek or a full buffer Faust can drop a record that it has fetched, without a
word; it expects to read it again, but commits past it if the next one is acknowledged first. Hops
would lose it twice: whatever comes after a later record of its path looks like a repeat to them. So
a record is taken only as the next of its partition.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from faust.types import TP


class Verdict(Enum):
    """What to do with a record that has arrived."""

    TAKE = "take"
    REFUSE = "refuse"
    """It was taken before, or was on its way when reading began anew, or its partition is not ours
    (any more)."""
    GAP = "gap"
    """Records before it are missing: read the partition again from `expected`."""


class ReadingOrder:
    """The partitions of one consumer: what comes next, what is under way, what the log lacks.

    Offsets that the broker itself skips (compaction, transactions) are no gap: they are seen where
    two records follow each other in what it returned. One at the place where reading began cannot
    be told from a dropped record, until the same one comes first a second time.
    """

    def __init__(self) -> None:
        self._next: dict[TP, int] = {}
        self._under_way: dict[TP, dict[int, None]] = {}
        self._fetched: dict[TP, int] = {}
        self._skips: dict[TP, dict[int, int]] = {}
        self._missed: dict[TP, int] = {}

    def begin(self, place: TP, offset: int) -> None:
        """The partition is read from `offset` on; what was taken of it is forgotten."""
        self._next[place] = offset
        self._under_way[place] = {}
        self._missed.pop(place, None)
        self.again(place)

    def again(self, place: TP) -> None:
        """It is read from the expected record on: what comes does not follow what was fetched."""
        self._fetched.pop(place, None)
        self._skips[place] = {}

    def forget(self, place: TP) -> None:
        """It is another worker's."""
        for kept in (self._next, self._under_way, self._fetched, self._skips, self._missed):
            kept.pop(place, None)

    def fetched(self, place: TP, offsets: Sequence[int]) -> None:
        """What the broker returned, in its order and without a hole on the way here."""
        if place not in self._next:
            return
        skips, last = self._skips[place], self._fetched.get(place)
        for offset in offsets:
            if last is not None and offset > last + 1:
                skips[offset] = last
            last = offset
        if last is not None:
            self._fetched[place] = last

    def verdict(self, place: TP, offset: int) -> Verdict:
        """Whether the record may be processed; one that may is under way from now on."""
        expected = self._next.get(place)
        if expected is None or offset < expected or place not in self._fetched:
            return Verdict.REFUSE
        if offset > expected and not self._is_next(place, offset, expected):
            self._missed[place] = offset
            return Verdict.GAP
        self._missed.pop(place, None)
        self._skips[place].pop(offset, None)
        self._under_way[place][offset] = None
        self._next[place] = offset + 1
        return Verdict.TAKE

    def _is_next(self, place: TP, offset: int, expected: int) -> bool:
        return self._skips[place].get(offset) == expected - 1 or self._missed.get(place) == offset

    def behind(self) -> dict[TP, int]:
        """Partition → expected offset, where something was fetched that has not come."""
        return {p: self._next[p] for p, last in self._fetched.items() if last >= self._next[p]}

    def expected(self, place: TP) -> int | None:
        """The next offset to take; None: the partition is not ours."""
        return self._next.get(place)

    def acknowledge(self, place: TP, offset: int) -> None:
        """Its outputs are delivered."""
        self._under_way.get(place, {}).pop(offset, None)

    def committable(self, place: TP) -> int | None:
        """The first offset that must be read again after a kill; None: nothing is known."""
        return next(iter(self._under_way.get(place, ())), self._next.get(place))
