"""A brand over a range of time: what its page and its charts show."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import quantiles
from typing import Any, Final, NamedTuple

from listener.store.figures import Heard, IssueCount
from listener.web.answers import raw
from listener.web.site import Site, plain
from listener.web.words import ISSUES, read_time, say

HOUR: Final = 3600
DAY: Final = 24
RANGES: Final = {"24h": (24, 1), "7d": (7 * 24, 3), "28d": (28 * 24, 12)}
"""Range → hours, and hours of one step of its charts. Steps divide a day."""
USUAL_DAYS: Final = 28
LEAST_SAMPLE: Final = 2
Z90: Final = 1.645
Json = dict[str, Any]


class Span(NamedTuple):
    """Steps of a chart, by their number since 1970."""

    first: int
    last: int
    hours: int

    @property
    def starts(self) -> list[int]:
        return [step * self.hours * HOUR for step in range(self.first, self.last + 1)]


async def brand_figures(site: Site, brand: str, name: str) -> Json | None:
    """What `reckon` says, or said a moment ago."""
    found: Json | None = await site.lately.get((brand, name), lambda: reckon(site, brand, name))
    return found


async def reckon(site: Site, brand: str, name: str) -> Json | None:
    """None where nothing is known of the brand. The range ends with the newest figures."""
    found = (await site.store.figures.brands()).get(brand)
    if found is None:
        return None
    newest = plain(found)
    at = read_time(newest["at"])
    until = at.timestamp() if at else site.clock().timestamp()
    hours, step = RANGES[name]
    span = Span(int((until - hours * HOUR) // (step * HOUR)) + 1, int(until // (step * HOUR)), step)
    since = float(span.first * step * HOUR)
    reads = site.store.figures
    back = since - USUAL_DAYS * DAY * HOUR
    counts = await reads.heard(brand, since=back, until=until, step=step)
    # A brand that is heard of for a shorter time has no line of nothing before it.
    heard = min((number for number, each in counts.items() if each.mentions), default=span.first)
    span = span._replace(first=min(max(span.first, heard), span.last))
    issues = await reads.issues(brand, since=since - hours * HOUR, until=until, step=step)
    since = float(span.first * step * HOUR)
    history = await reads.history(brand, since=since, until=until, step=max(step, 1) * HOUR // 3)
    incidents = await reads.incidents(brand, since=since, until=until)
    voices = await reads.voices(since=since, until=until)
    return {
        "brand": brand,
        "range": name,
        "since": since,
        "until": until,
        "figures": raw(found),
        "volume": volume_chart(counts, span),
        "negative": negative_chart(counts, span),
        "risk": risk_chart([plain(record) for record in history]),
        "incidents": [burst._asdict() for burst in incidents],
        "issues": issue_rows(issues, span),
        "voice": voice_rows(voices),
    }


def volume_chart(heard: Mapping[int, Heard], span: Span) -> Json:
    """Mentions a step, and what is usual at that time of day: median, 10th and 90th percentile
    of the same step of up to 28 days before it; none with fewer than two of them."""
    steps = range(span.first, span.last + 1)
    counts = {number: each.mentions for number, each in heard.items()}
    first = min(counts, default=span.first)
    usual = [_usual(counts, step, first, span.hours) for step in steps]
    return {
        "at": span.starts,
        "count": [counts.get(step, 0) for step in steps],
        "low": [each[0] if each else None for each in usual],
        "median": [each[1] if each else None for each in usual],
        "high": [each[2] if each else None for each in usual],
        "hours": span.hours,
    }


def _usual(
    counts: Mapping[int, int], step: int, first: int, hours: int
) -> tuple[float, float, float] | None:
    day = DAY // hours
    sample = [
        counts.get(step - back * day, 0)
        for back in range(1, USUAL_DAYS + 1)
        if step - back * day >= first
    ]
    if len(sample) < LEAST_SAMPLE:
        return None
    cuts = quantiles(sample, n=10, method="inclusive")
    return cuts[0], cuts[4], cuts[8]


def negative_chart(heard: Mapping[int, Heard], span: Span) -> Json:
    """Share of negatives a step with its 90 % Wilson interval; None where nothing was said."""
    told = [heard.get(step, Heard(0, 0)) for step in range(span.first, span.last + 1)]
    shares = [wilson(each.negative, each.mentions) if each.mentions else None for each in told]
    return {
        "at": span.starts,
        "share": [each.negative / each.mentions if each.mentions else None for each in told],
        "low": [each[0] if each else None for each in shares],
        "high": [each[1] if each else None for each in shares],
    }


def wilson(k: int, n: int, z: float = Z90) -> tuple[float, float]:
    """Wilson's interval of a share k of n (Wilson 1927)."""
    share, square = k / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z * sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def risk_chart(history: Sequence[Json]) -> Json:
    """Brand risk and burn over time."""
    times = [read_time(record["at"]) for record in history]
    return {
        "at": [round(at.timestamp()) if at else 0 for at in times],
        "risk": [record["brand_risk"] for record in history],
        "burn_1h": [record["burn"].get("1h") for record in history],
        "burn_24h": [record["burn"].get("24h") for record in history],
    }


def issue_rows(told: Sequence[IssueCount], span: Span) -> list[Json]:
    """Issues by their count in the range, with the range before it and a line of steps."""
    size = span.last - span.first + 1
    now: dict[str, list[int]] = defaultdict(lambda: [0] * size)
    before: Counter[str] = Counter()
    for item in told:
        if span.first <= item.step <= span.last:
            now[item.issue][item.step - span.first] += item.mentions
        elif span.first - size <= item.step < span.first:
            before[item.issue] += item.mentions
    total = sum(map(sum, now.values())) or 1
    rows: list[Json] = [
        {"issue": issue, "name": say(ISSUES, issue), "count": sum(line), "before": before[issue],
         "share": sum(line) / total, "line": line}
        for issue, line in now.items()
        if issue not in ("none", "unjudged")
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-int(row["count"]), str(row["issue"])))[:8]


def voice_rows(voices: Mapping[str, Heard]) -> list[Json]:
    """Share of voice of each brand, and of its own mentions the negative share."""
    total = sum(each.mentions for each in voices.values()) or 1
    return [
        {"brand": brand, "count": each.mentions, "share": each.mentions / total,
         "negative": each.negative / each.mentions}
        for brand, each in list(voices.items())[:8]
    ]  # fmt: skip
