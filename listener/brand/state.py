"""What is kept of one brand: five-minute buckets of a day, hours of a month, no text."""

from __future__ import annotations

from typing import Final

import msgspec

from listener.records import Incident, Issue

TICK: Final = 300
HOUR: Final = 3600
DAY: Final = 86_400
BUCKETS_KEPT: Final = DAY + HOUR
AUTHORS_KEPT: Final = 80 * 60
"""Seconds for which authors are remembered: the hour, and what may come late to it."""
HOURS_KEPT: Final = 28 * DAY
RECENT_PRINTS: Final = 256
EVIDENCE: Final = 10


class Bucket(msgspec.Struct, array_like=True):
    """Five minutes. `authors` is emptied once no window needs it."""

    mentions: int = 0
    negative: float = 0.0
    weight: float = 0.0
    authors: dict[str, int] = {}
    issues: dict[Issue, float] = {}
    shares: dict[str, float] = {}


class Hour(msgspec.Struct, array_like=True):
    """One hour of the baseline."""

    mentions: int = 0
    weight: float = 0.0
    authors: int = 0
    incident: bool = False
    names: dict[str, int] = {}


class BrandState(msgspec.Struct):
    """Bounded: 300 buckets, 672 hours, 256 fingerprints."""

    first: int = 0
    """Event time of the first mention, seconds of the epoch; 0: none yet."""
    watermark: int = 0
    """Newest event time seen."""
    ticked: int = 0
    """End of the last five minutes that were examined."""
    buckets: dict[int, Bucket] = {}
    hours: dict[int, Hour] = {}
    prints: list[str] = []
    evidence: list[tuple[float, int, str]] = []
    """(weight, event time, mention id) of the day's heaviest."""
    seen: int = 0
    """Mentions taken in, ever: exact whatever is killed, in whatever order they come."""
    late: int = 0
    incident: Incident | None = None
    calm: int = 0
    """Calm ticks in a row while an incident is open."""
