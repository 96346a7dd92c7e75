"""How far event time has come, where mentions come by several input partitions.

A backlog of several partitions comes out of order by more than any grace. Along one path (the
partitions that a mention passed) it is in order, so the windows stay open for the slowest path that
is live. A path that nothing was heard of for `patience_seconds` holds nobody up.
"""

from __future__ import annotations

from listener.brand.policy import BrandPolicy
from listener.brand.state import HOUR, PENDING, TICK, BrandState, Path


def hear(state: BrandState, path: str, at: int, now: float, policy: BrandPolicy) -> None:
    """A mention of event time `at` came by `path`; `now` in seconds, by the broker's clock."""
    known = state.paths.get(path)
    newest = max(at, known.newest) if known else at
    state.paths[path] = Path(newest, max(now, known.heard) if known else now)
    state.watermark = max(state.watermark, at)
    latest = max(p.heard for p in state.paths.values())
    for name in [n for n, p in state.paths.items() if p.heard < latest - policy.patience_seconds]:
        del state.paths[name]


def complete(state: BrandState, policy: BrandPolicy) -> int:
    """End of the last five minutes that no mention inside the grace can still change."""
    front = min(path.newest for path in state.paths.values())
    if sum(map(len, state.pending.values())) > PENDING:
        front = state.watermark
    return complete_at(front, state, policy)


def complete_at(front: int, state: BrandState, policy: BrandPolicy) -> int:
    """The same where event time has come to `front`, seconds of the epoch."""
    if not state.ticked and front - min(state.pending, default=front) < HOUR:
        return 0
    return (front - policy.grace_seconds) // TICK * TICK


def due(state: BrandState, policy: BrandPolicy) -> int | None:
    """The event time at which more can be told without another mention; None where nothing waits
    to be examined and nothing is open."""
    if not waits(state):
        return None
    if not state.ticked:
        return max(min(state.pending) + HOUR, min(state.pending) + TICK + policy.grace_seconds)
    return state.ticked + TICK + policy.grace_seconds


def waits(state: BrandState) -> bool:
    """Whether time alone will change something: mentions wait, or a burst or incident is open."""
    episodes = [e for c in state.channels.values() for e in (c.burst, c.incident)]
    return bool(state.pending) or any(e is not None and e.ended_at is None for e in episodes)
