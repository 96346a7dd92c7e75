"""Streams of evidence with a day rhythm, for the tests of bursts and baselines."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from math import cos, pi
from typing import Any

from listener.brand import BrandPolicy, BrandState, observe
from listener.records import BrandEvidence, BrandRisk
from tests.worlds import NOW

POLICY = BrandPolicy()


def evidence(number: int, minutes: float, **changes: Any) -> BrandEvidence:
    fields: dict[str, Any] = {
        "mention_id": f"x:{number}",
        "brand": "Acme",
        "event_time": NOW + timedelta(minutes=minutes),
        "author": f"{number % 5000:012x}",
        "negative": 0.7,
        "weight": 0.5,
        "issue": "outage",
    }
    return BrandEvidence(**(fields | changes))


def days_of_calm(days: int = 3) -> list[BrandEvidence]:
    return [evidence(n, n * 15) for n in range(days * 96)]


def burst(start: float, *, size: int = 120, **changes: Any) -> list[BrandEvidence]:
    return [
        evidence(100_000 + n, start + n * 60 / size, **({"weight": 0.8} | changes))
        for n in range(size)
    ]


def rhythm(at: datetime) -> float:
    """Between .5 and 1.5, highest at 16 h."""
    return 1 + 0.5 * cos(2 * pi * (at.hour + at.minute / 60 - 16) / 24)


def busy_days(
    days: float, *, hourly: float, seed: int, dispersion: float = 10.0
) -> Iterator[BrandEvidence]:
    """Gamma-mixed Poisson hours about the day's rhythm."""
    rng = random.Random(seed)
    number = 0
    for hour in range(int(days * 24)):
        at = NOW + timedelta(hours=hour)
        rate = hourly * rhythm(at) * rng.gammavariate(dispersion, 1 / dispersion)
        minutes = 60 * hour + rng.expovariate(rate / 60)
        while minutes < 60 * (hour + 1):
            yield evidence(number, minutes, author=f"{rng.randrange(10**6):012x}")
            number += 1
            minutes += rng.expovariate(rate / 60)


def told(stream: list[BrandEvidence], policy: BrandPolicy = POLICY) -> BrandState:
    state = BrandState()
    for item in stream:
        observe(item, state, policy)
    return state


def figures(stream: list[BrandEvidence], policy: BrandPolicy = POLICY) -> list[BrandRisk]:
    """Every figure of the stream, in order."""
    state = BrandState()
    return [figure for item in stream for figure in observe(item, state, policy)]
