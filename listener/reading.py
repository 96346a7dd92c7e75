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
    """It was taken before, or its partition is not ours (any more)."""
    GAP = "gap"
    """Records before it are missing: read the partition again from `expected`."""


class ReadingOrder:
    """The partitions of one consumer: what comes next, what is under way, what the log lacks.

    Offsets that the broker itself skips (compaction, transactions, retention) are no gap: they are
    seen where two records follow each other in what it returned, or one the place of the seek. For
    that `fetched` must hear of every fetch, and no fetch be under way during a seek.
    """

    def __init__(self) -> None:
        self._next: dict[TP, int] = {}
        self._under_way: dict[TP, dict[int, None]] = {}
        self._fetched: dict[TP, int] = {}
        self._skips: dict[TP, dict[int, int]] = {}

    def begin(self, place: TP, offset: int) -> None:
        """The partition is read from `offset` on; what was taken of it is forgotten."""
        self._next[place] = offset
        self._under_way[place] = {}
        self.again(place, offset)

    def again(self, place: TP, offset: int) -> None:
        """The next fetch begins at `offset`."""
        self._fetched[place] = offset - 1
        self._skips[place] = {}

    def forget(self, place: TP) -> None:
        """It is another worker's."""
        for kept in (self._next, self._under_way, self._fetched, self._skips):
            kept.pop(place, None)

    def fetched(self, place: TP, offsets: Sequence[int]) -> None:
        """What the broker returned of a partition that is read, in its order."""
        if not offsets:
            return
        if offsets[0] <= self._fetched[place]:
            # The log is shorter than it was (made anew, or its end was lost): it begins again.
            self.begin(place, offsets[0])
        last = self._fetched[place]
        for offset in offsets:
            if offset > last + 1:
                self._skips[place][offset] = last
            last = offset
        self._fetched[place] = last

    def verdict(self, place: TP, offset: int) -> Verdict:
        """Whether the record may be processed; one that may is under way from now on."""
        expected = self._next.get(place)
        if expected is None:
            return Verdict.REFUSE
        before = self._skips[place].get(offset, offset - 1)
        if offset >= expected and before >= expected:
            return Verdict.GAP
        self._skips[place].pop(offset, None)
        if offset < expected:
            return Verdict.REFUSE
        self._under_way[place][offset] = None
        self._next[place] = offset + 1
        return Verdict.TAKE

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
