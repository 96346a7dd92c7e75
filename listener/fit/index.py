"""One figure for each segment, with the vector that it is made of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from listener.fit.policy import FitPolicy
from listener.fit.rates import LEAST_RATE, Population
from listener.records import FitIndex, FitSignal


def indices(
    found: Iterable[FitSignal], population: Population, policy: FitPolicy, *, now: datetime
) -> list[FitIndex]:
    """100 · Π ratio^weight over the dimensions; each ratio is the segment's rate over the pooled
    one of the same tenure bands, both weighted by its customers there."""
    rates: dict[str, dict[str, tuple[float, float]]] = {}
    for signal in found:
        if signal.pooled <= LEAST_RATE:
            # Nobody showed it at that tenure: no ratio to tell.
            continue
        dimensions = rates.setdefault(signal.segment, {})
        rate, pooled = dimensions.get(signal.dimension, (0.0, 0.0))
        dimensions[signal.dimension] = (
            rate + signal.n * signal.rate,
            pooled + signal.n * signal.pooled,
        )
    return [
        _index(segment, dimensions, population, policy, now=now)
        for segment, dimensions in sorted(rates.items())
    ]


def _index(
    segment: str,
    dimensions: dict[str, tuple[float, float]],
    population: Population,
    policy: FitPolicy,
    *,
    now: datetime,
) -> FitIndex:
    vector = {name: rate / pooled if pooled else 1.0 for name, (rate, pooled) in dimensions.items()}
    index = 100.0
    for name, ratio in vector.items():
        index *= max(ratio, 0.01) ** policy.weights.get(name, 0.0)
    customers = sum(n for (whose, _), n in population.items() if whose == segment)
    spend = policy.spend.get(segment)
    cost = spend / customers if spend is not None else None
    return FitIndex(
        segment=segment,
        at=now,
        index=round(index, 1),
        vector={name: round(ratio, 3) for name, ratio in sorted(vector.items())},
        customers=customers,
        cost=round(cost, 2) if cost is not None else None,
        adjusted_cost=round(cost * 100 / index, 2) if cost is not None else None,
    )
