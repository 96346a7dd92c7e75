"""Burn, significance and the gauge, from a brand's state (definitions §4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import fmean, median, pvariance
from typing import Final

from listener.brand.policy import BrandPolicy
from listener.brand.state import DAY, HOUR, HOURS_KEPT, TICK, BrandState, Bucket
from listener.distributions import negative_binomial_tail, wilson
from listener.records import BrandRisk, Interval, Issue

WINDOWS: Final = {
    "15m": 15 * 60,
    "30m": 30 * 60,
    "1h": HOUR,
    "6h": 6 * HOUR,
    "24h": DAY,
    "3d": 3 * DAY,
}
LEAST_WEIGHT: Final = 0.05
"""Weighted volume an hour that even the quietest brand may have: no burn of nothing."""
LEAST_AUTHORS: Final = 0.25
"""The same, in distinct authors an hour."""
WEEK: Final = 7 * DAY


def risk(state: BrandState, policy: BrandPolicy, *, brand: str) -> BrandRisk:
    """How the brand stands at its newest event time."""
    end = (state.watermark // TICK + 1) * TICK
    day = [bucket for _, bucket in _between(state, end - DAY, end)]
    mentions = sum(b.mentions for b in day)
    negative = sum(b.negative for b in day)
    low, high = wilson(negative, mentions)
    burns = {name: round(burn(state, end, seconds), 3) for name, seconds in WINDOWS.items()}
    return BrandRisk(
        brand=brand,
        at=datetime.fromtimestamp(state.watermark, UTC),
        brand_risk=round(100 * (1 - 2 ** (-burns["24h"] / 3)), 1),
        burn=burns,
        significance={name: significance(state, end, WINDOWS[name])[0] for name in ("15m", "1h")},
        mentions_24h=mentions,
        negative_share=round(negative / mentions, 4) if mentions else 0.0,
        negative_interval=Interval(low=round(low, 4), high=round(high, 4)),
        incident=state.incident,
        top_issues=_top_issues(day),
        shares=_shares(day, mentions),
        evidence=tuple(item[2] for item in state.evidence),
        late=state.late,
        baseline_days=round(min(history_seconds(state, end), HOURS_KEPT) / DAY, 2),
    )


def burn(state: BrandState, end: int, seconds: int) -> float:
    """Weighted volume of the window before `end` as a multiple of its share of the budget."""
    if seconds > DAY:
        spent = sum(h.weight for s, h in state.hours.items() if end - seconds <= s < end)
    else:
        spent = sum(bucket.weight for _, bucket in _between(state, end - seconds, end))
    return spent / (_budget(state, end, seconds) * seconds / HOUR)


def significance(state: BrandState, end: int, seconds: int) -> tuple[float, int]:
    """(upper-tail p, number) of the distinct authors in the window before `end`."""
    authors: set[str] = set()
    for _, bucket in _between(state, end - seconds, end):
        authors.update(bucket.authors)
    if len(authors) < 2:
        return 1.0, len(authors)
    mean, dispersion = _expected_authors(state, end)
    mean *= seconds / HOUR
    return float(f"{negative_binomial_tail(len(authors), mean, dispersion):.3g}"), len(authors)


def history_seconds(state: BrandState, end: int) -> int:
    """Event time seen before `end`."""
    return max(end - state.first, 0) if state.first else 0


def _between(state: BrandState, start: int, end: int) -> Iterator[tuple[int, Bucket]]:
    if end - start > DAY:
        return
    for at in range(start // TICK * TICK, end, TICK):
        bucket = state.buckets.get(at)
        if bucket is not None and at >= start:
            yield at, bucket


def _budget(state: BrandState, end: int, seconds: int) -> float:
    """Mean weighted volume an hour, of up to 28 days before what is being judged.

    Incidents are left out, and so is the last day as soon as two have been seen: a burst must not
    raise the budget that it is measured by.
    """
    aside = max(seconds, DAY) if history_seconds(state, end) >= 2 * DAY else 6 * HOUR
    stop = max(end - aside, state.first + HOUR)
    weights, spoiled = 0.0, 0
    for start, hour in state.hours.items():
        if start >= stop:
            continue
        spoiled += hour.incident
        weights += 0.0 if hour.incident else hour.weight
    hours = (stop - max(state.first, stop - HOURS_KEPT)) / HOUR - spoiled
    return max(weights / max(hours, 1.0), LEAST_WEIGHT)


def _expected_authors(state: BrandState, end: int) -> tuple[float, float]:
    """(mean, dispersion) of distinct authors an hour at this hour of the week.

    The median of the same hour in three weeks or more; else of the same hour of day in three days
    or more; else the mean of all. The dispersion is that of the hours about their own mean.
    """
    past = _past_hours(state, end)
    if not past:
        return LEAST_AUTHORS, 1.0
    counts = list(past.values())
    mean = fmean(counts)
    for period, least in ((WEEK, 3), (DAY, 3)):
        like = [n for start, n in past.items() if (end - HOUR // 2 - start) % period < HOUR]
        if len(like) >= least:
            mean = max(median(like), mean / 4)
            break
    return max(mean, LEAST_AUTHORS), _dispersion(counts)


def _past_hours(state: BrandState, end: int) -> dict[int, int]:
    """Distinct authors of every hour of the baseline, quiet ones too."""
    stop = (end - HOUR) // HOUR * HOUR
    start = max(state.first // HOUR * HOUR, stop - HOURS_KEPT)
    found = {}
    for at in range(start, stop, HOUR):
        hour = state.hours.get(at)
        if hour is None or not hour.incident:
            found[at] = hour.authors if hour else 0
    return found


def _dispersion(counts: list[int]) -> float:
    """By moments: mean² / (variance − mean); large where the counts vary no more than Poisson's."""
    if len(counts) < 2:
        return 1.0
    mean = fmean(counts)
    excess = pvariance(counts) - mean
    return min(max(mean * mean / excess, 0.2), 1000.0) if excess > 0 and mean > 0 else 1000.0


def _top_issues(day: list[Bucket]) -> dict[Issue, float]:
    total: dict[Issue, float] = {}
    for bucket in day:
        for issue, weight in bucket.issues.items():
            total[issue] = total.get(issue, 0.0) + weight
    ranked = sorted(total.items(), key=lambda item: (-item[1], item[0]))[:3]
    whole = sum(total.values()) or 1.0
    return {issue: round(weight / whole, 4) for issue, weight in ranked}


def _shares(day: list[Bucket], mentions: int) -> dict[str, float]:
    total: dict[str, float] = {}
    for bucket in day:
        for name, part in bucket.shares.items():
            total[name] = total.get(name, 0.0) + part
    reach = total.pop("reach", 0.0) or 1.0
    negative = total.pop("reach_negative", 0.0) / reach
    counted = {name: round(part / max(mentions, 1), 4) for name, part in sorted(total.items())}
    return counted | {"reach_negative": round(negative, 4)}
