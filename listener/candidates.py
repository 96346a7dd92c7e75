"""Customers by block, for probabilistic linking: sorted arrays with what changed on top.

A million customers have some seven million places in blocks. As arrays they take 12 bytes each,
and a profile is kept as packed bytes until somebody is compared with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from listener.identity import blocks_of
from listener.records import Profile

FRESH: Final = 50_000
"""Places in blocks that may wait on top before they are sorted in."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Profile).decode


class Candidates:
    """Which customers are in a block, and their profiles."""

    def __init__(self, *, fresh: int = FRESH) -> None:
        self._limit = fresh
        self._rows: dict[str, int] = {}
        self._ids: list[str | None] = []
        self._profiles: list[bytes | None] = []
        self._keys: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._owners: npt.NDArray[np.uint32] = np.empty(0, np.uint32)
        self._fresh: dict[int, list[int]] = {}
        self._waiting = 0

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, customer_id: str, profile: Profile | None) -> None:
        """Take in a profile in place of the one before; None withdraws it."""
        before = self._rows.pop(customer_id, None)
        if before is not None:
            self._ids[before] = self._profiles[before] = None
        if profile is None:
            return
        row = len(self._ids)
        self._rows[customer_id] = row
        self._ids.append(customer_id)
        self._profiles.append(_encode(profile))
        for key in blocks_of(profile):
            self._fresh.setdefault(hash(key), []).append(row)
            self._waiting += 1
        if self._waiting >= max(self._limit, len(self._keys) // 8):
            self._sort()

    def count(self, block: str) -> int:
        """Customers of a block; those withdrawn count until the next sorting."""
        key = hash(block)
        start, end = np.searchsorted(self._keys, (key, key + 1) if key < _LAST else (key, key))
        return int(end - start) + len(self._fresh.get(key, ()))

    def find(self, blocks: Sequence[str], *, most: int) -> list[tuple[str, Profile]]:
        """At most `most` customers of the smallest of these blocks. A block larger than that is
        left out: its name is so common that it tells nobody."""
        rows: dict[int, None] = {}
        for members in sorted(self._members(blocks, most), key=len):
            for row in members:
                if self._ids[row] is not None:
                    rows[row] = None
            if len(rows) >= most:
                break
        return [self._candidate(row) for row in list(rows)[:most]]

    def _members(self, blocks: Sequence[str], most: int) -> list[list[int]]:
        keys = np.fromiter(map(hash, blocks), np.int64, len(blocks))
        starts = np.searchsorted(self._keys, keys, side="left").tolist()
        ends = np.searchsorted(self._keys, keys, side="right").tolist()
        found = []
        for key, start, end in zip(keys.tolist(), starts, ends, strict=True):
            fresh = self._fresh.get(key, [])
            if 0 < end - start + len(fresh) <= most:
                found.append([*self._owners[start:end].tolist(), *fresh])
        return found

    def _candidate(self, row: int) -> tuple[str, Profile]:
        customer, packed = self._ids[row], self._profiles[row]
        assert customer is not None
        assert packed is not None
        return customer, _decode(packed)

    def _sort(self) -> None:
        """Sorts in what waits, and leaves out who is gone."""
        keys = np.repeat(
            np.fromiter(self._fresh, np.int64, len(self._fresh)),
            [len(rows) for rows in self._fresh.values()],
        )
        rows = (row for rows in self._fresh.values() for row in rows)
        owners = np.fromiter(rows, np.uint32, self._waiting)
        keys = np.concatenate([self._keys, keys])
        owners = np.concatenate([self._owners, owners])
        there: Any = np.fromiter((i is not None for i in self._ids), np.bool_, len(self._ids))
        kept = there[owners]
        keys, owners = keys[kept], owners[kept]
        order = np.argsort(keys, kind="stable")
        self._keys, self._owners = keys[order], owners[order]
        self._fresh, self._waiting = {}, 0


_LAST: Final = 2**63 - 1
