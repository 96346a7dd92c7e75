"""What is kept of one segment: events by day, without customers. Bounded by days, not by people."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from listener.fit.events import HEARD
from listener.fit.policy import STAYS, FitPolicy, band_of
from listener.records import FitEvidence, IncidentWindow

DAY_SECONDS: Final = 86_400.0
EVIDENCE: Final = 10
RECENT: Final = 1_000
"""Events of a segment that an incident may still excuse; a quarter more before they are sifted."""
RECENT_SECONDS: Final = int(3 * DAY_SECONDS)
"""For so long an incident that is found later can still excuse an event."""
WINDOWS: Final = 20


class Tally(msgspec.Struct, array_like=True):
    """Events of one dimension and band, by day of the epoch."""

    mass: dict[int, float] = {}
    """Σ q·r."""
    square: dict[int, float] = {}
    """Σ (q·r)²: from how many events as good as certain ones."""
    censored: dict[int, float] = {}
    """The same of events that an incident of ours excuses."""
    evidence: list[str] = []
    reasons: dict[str, dict[int, float]] = {}
    """What was expected otherwise → Σ q·r by day."""


class Recent(msgspec.Struct, array_like=True, frozen=True):
    """An event that an incident may still excuse."""

    at: int
    key: str
    mass: float
    mention_id: str
    brand: str | None
    reason: str | None = None


class SegmentState(msgspec.Struct):
    """`dimension:band` → tally."""

    tallies: dict[str, Tally] = {}
    recent: list[Recent] = []
    windows: dict[str, tuple[str, int, int]] = {}
    """Incident → (brand, start, end), of the state that stands for all segments."""
    clock: int = 0
    """Hour of the last emission, of the same."""
    told: dict[str, str] = {}
    """Key of a signal → what of it was last said."""


def observe(
    evidence: FitEvidence, state: SegmentState, windows: SegmentState, policy: FitPolicy
) -> None:
    """Takes one event into its segment's tallies; `windows` knows the incidents."""
    key = f"{evidence.dimension}:{band_of(evidence.tenure_days)}"
    tally = state.tallies.setdefault(key, Tally())
    at = int(evidence.event_time.timestamp())
    mass = round(evidence.quality * evidence.link, 6)
    excused = evidence.dimension != HEARD and _is_excused(evidence.brand, at, windows)
    by_day = tally.censored if excused else tally.mass
    day = int(at // DAY_SECONDS)
    _add(by_day, day, mass)
    if not excused:
        _add(tally.square, day, mass * mass)
        if evidence.reason is not None:
            _add(tally.reasons.setdefault(evidence.reason, {}), day, mass)
    if evidence.dimension != HEARD and not excused:
        tally.evidence = [*tally.evidence, evidence.mention_id][-EVIDENCE:]
        event = Recent(at, key, mass, evidence.mention_id, evidence.brand, evidence.reason)
        _remember(event, state)
    _forget(tally, key, newest=max([*tally.mass, *tally.censored]), policy=policy)


def excuse(window: IncidentWindow, state: SegmentState) -> None:
    """Takes out what was counted before the incident was known."""
    start, end = _span(window)
    kept: list[Recent] = []
    for event in state.recent:
        if event.brand not in (None, window.brand) or not start <= event.at < end:
            kept.append(event)
            continue
        tally, day = state.tallies[event.key], int(event.at // DAY_SECONDS)
        _add(tally.mass, day, -event.mass)
        _add(tally.square, day, -event.mass * event.mass)
        _add(tally.censored, day, event.mass)
        if event.reason is not None:
            _add(tally.reasons.setdefault(event.reason, {}), day, -event.mass)
        tally.evidence = [m for m in tally.evidence if m != event.mention_id]
    state.recent = kept


def know(window: IncidentWindow, windows: SegmentState) -> None:
    """Remembers the incident for what comes later."""
    windows.windows[window.incident_id] = (window.brand, *_span(window))
    while len(windows.windows) > WINDOWS:
        del windows.windows[next(iter(windows.windows))]


def due(now: datetime, windows: SegmentState) -> datetime | None:
    """The full hour to emit for, once in each hour of event time; None at other times."""
    hour = int(now.timestamp()) // 3600 * 3600
    if hour <= windows.clock:
        return None
    windows.clock = hour
    return datetime.fromtimestamp(hour, now.tzinfo)


def _add(by_day: dict[int, float], day: int, part: float) -> None:
    by_day[day] = round(by_day.get(day, 0.0) + part, 6)


def _span(window: IncidentWindow) -> tuple[int, int]:
    end = window.ended_at.timestamp() if window.ended_at else 1 << 40
    return int(window.started_at.timestamp()), int(end)


def _is_excused(brand: str | None, at: int, windows: SegmentState) -> bool:
    return any(
        brand in (None, whose) and start <= at < end
        for whose, start, end in windows.windows.values()
    )


def _remember(event: Recent, state: SegmentState) -> None:
    state.recent.append(event)
    # Now and then, not each time: it goes through all of them.
    if len(state.recent) >= RECENT + RECENT // 4:
        oldest = event.at - RECENT_SECONDS
        state.recent = [e for e in state.recent if e.at >= oldest][-RECENT:]


def _forget(tally: Tally, key: str, *, newest: int, policy: FitPolicy) -> None:
    stay = STAYS[key.rpartition(":")[2]]
    oldest = newest - min(int(policy.kept_days), stay)
    for by_day in (tally.mass, tally.square, tally.censored, *tally.reasons.values()):
        for day in [day for day in by_day if day < oldest]:
            del by_day[day]
