"""Burn, significance and the gauge, from a brand's state (definitions §4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from math import exp2
from typing import Final, Literal, TypeVar

from listener.brand.policy import BrandPolicy
from listener.brand.state import DAY, HOUR, TICK, BrandState, Bucket, ChannelState
from listener.distributions import negative_binomial_tail, wilson
from listener.records import BrandRisk, Channel, ChannelRisk, Incident, Interval, Issue

K = TypeVar("K")
N = TypeVar("N", int, float)

WINDOWS: Final = {
    "15m": 15 * 60,
    "30m": 30 * 60,
    "1h": HOUR,
    "6h": 6 * HOUR,
    "24h": DAY,
    "3d": 3 * DAY,
}
WARM_DAYS: Final = 28
EVIDENCE: Final = 10


class Survey:
    """Sums over the last day of one channel, or of several together."""

    def __init__(self) -> None:
        self.mentions = 0
        self.negative = 0.0
        self.spent = dict.fromkeys(WINDOWS, 0.0)
        self.allowed = dict.fromkeys(WINDOWS, 0.0)
        self.issues: dict[Issue, int] = {}
        self.shares: dict[str, float] = {}

    @classmethod
    def of(cls, channel: ChannelState, end: int) -> Survey:
        found = cls()
        for name, seconds in WINDOWS.items():
            found.allowed[name] = allowed(channel, seconds)
            found.spent[name] = spent(channel, end, seconds)
        for bucket in pieces(channel, end - DAY, end):
            found.mentions += bucket.mentions
            found.negative += bucket.negative
            _sum(found.issues, bucket.issues)
            _sum(found.shares, bucket.shares)
        return found

    def add(self, other: Survey) -> None:
        self.mentions += other.mentions
        self.negative += other.negative
        for name in WINDOWS:
            self.spent[name] += other.spent[name]
            self.allowed[name] += other.allowed[name]
        _sum(self.issues, other.issues)
        _sum(self.shares, other.shares)

    @property
    def burns(self) -> dict[str, float]:
        return {n: round(self.spent[n] / max(self.allowed[n], 1e-9), 3) for n in WINDOWS}

    @property
    def negative_share(self) -> float:
        return round(self.negative / self.mentions, 4) if self.mentions else 0.0

    @property
    def interval(self) -> Interval:
        low, high = wilson(self.negative, self.mentions)
        return Interval(low=round(low, 4), high=round(high, 4))


def risk(state: BrandState, policy: BrandPolicy, *, brand: str) -> BrandRisk:
    """How the brand stands at the end of the last five minutes that are complete."""
    end, whole = state.ticked, Survey()
    channels: dict[Channel, ChannelRisk] = {}
    for name, channel in sorted(state.channels.items()):
        day = Survey.of(channel, end)
        whole.add(day)
        channels[name] = _channel(channel, day, end, policy)
    levels = [c.significance for c in channels.values()]
    return BrandRisk(
        brand=brand,
        at=time(end),
        brand_risk=gauge(whole.burns["24h"]),
        burn=whole.burns,
        significance={n: min((s[n] for s in levels), default=1.0) for n in ("15m", "1h")},
        mentions_24h=whole.mentions,
        negative_share=whole.negative_share,
        negative_interval=whole.interval,
        incident=_worst(c.incident for c in channels.values()),
        top_issues=_top_issues(whole),
        shares=_shares(whole),
        evidence=_evidence(state, end),
        late=state.late,
        baseline_days=max((c.baseline_days for c in channels.values()), default=0.0),
        channels=channels,
        share_of_voice=_voices(state, end, brand),
    )


def gauge(burn_24h: float) -> float:
    """1× → 21, 3× → 50, 10× → 90."""
    return round(100 * (1 - exp2(-burn_24h / 3)), 1)


def burn(channel: ChannelState, end: int, seconds: int) -> float:
    """Weighted volume of the window before `end` as a multiple of its share of the budget."""
    return spent(channel, end, seconds) / allowed(channel, seconds)


def spent(channel: ChannelState, end: int, seconds: int) -> float:
    """Weighted volume of the window before `end`."""
    if seconds <= DAY:
        return float(sum(bucket.weight for bucket in pieces(channel, end - seconds, end)))
    hour = end // HOUR * HOUR
    hours = (channel.hours.get(at) for at in range((end - seconds) // HOUR * HOUR, hour, HOUR))
    whole = float(sum(h.weight for h in hours if h))
    return whole + sum(bucket.weight for bucket in between(channel, hour, end))


def allowed(channel: ChannelState, seconds: int) -> float:
    """The window's share of the budget."""
    usual = channel.usual
    return (usual.budget if seconds <= DAY else usual.long_budget) * seconds / HOUR


def significance(channel: ChannelState, end: int, seconds: int) -> tuple[float, int, float]:
    """(upper-tail p, number, usual number) of distinct negative authors before `end`."""
    authors: set[str] = set()
    for bucket in between(channel, end - seconds, end):
        authors.update(bucket.authors)
    mean = expected(channel, end, seconds)
    if len(authors) < 2:
        return 1.0, len(authors), mean
    p = negative_binomial_tail(len(authors), mean, channel.usual.dispersion)
    return float(f"{p:.3g}"), len(authors), mean


def expected(channel: ChannelState, end: int, seconds: int) -> float:
    """Usual authors of a window of an hour or less: parts of two hours of the week."""
    inside = min((end - 1) % HOUR + 1, seconds)
    mean = channel.usual.authors * inside + channel.usual.before * (seconds - inside)
    return mean / HOUR


def between(channel: ChannelState, start: int, end: int) -> Iterator[Bucket]:
    """The buckets of a window of at most a day."""
    for at in range(start // TICK * TICK, end, TICK):
        bucket = channel.buckets.get(at)
        if bucket is not None:
            yield bucket


def pieces(channel: ChannelState, start: int, end: int) -> Iterator[Bucket]:
    """The same sums in fewer pieces, without authors: whole hours where they lie inside."""
    at = start // TICK * TICK
    while at < end:
        whole = at % HOUR == 0 and at + HOUR <= end
        bucket = (channel.recent if whole else channel.buckets).get(at)
        if bucket is not None:
            yield bucket
        at += HOUR if whole else TICK


def time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _channel(channel: ChannelState, day: Survey, end: int, policy: BrandPolicy) -> ChannelRisk:
    p_short = significance(channel, end, WINDOWS["15m"])[0]
    p_long, authors, mean = significance(channel, end, WINDOWS["1h"])
    days = history(channel, end) / DAY
    return ChannelRisk(
        brand_risk=gauge(day.burns["24h"]),
        burn=day.burns,
        significance={"15m": p_short, "1h": p_long},
        mentions_24h=day.mentions,
        negative_share=day.negative_share,
        negative_interval=day.interval,
        volume_ratio=round(day.mentions / max(24 * channel.usual.mentions, 1e-9), 3),
        authors=authors,
        usual_authors=round(mean, 2),
        leak=round(channel.leak, 2),
        baseline=_maturity(days, policy),
        baseline_days=round(min(days, WARM_DAYS), 2),
        burst=channel.burst,
        incident=channel.incident,
    )


def history(channel: ChannelState, end: int) -> int:
    """Seconds of event time seen before `end`."""
    return max(end - channel.first, 0)


def _maturity(days: float, policy: BrandPolicy) -> Literal["prior", "warming", "own"]:
    if days * 24 < policy.min_history_hours:
        return "prior"
    return "own" if days >= WARM_DAYS else "warming"


def _worst(incidents: Iterable[Incident | None]) -> Incident | None:
    """The open page of the highest peak, then a ticket, then what ended last."""
    found = [incident for incident in incidents if incident is not None]
    rank = {"page": 1, "ticket": 0}
    key = [(i.open, rank[i.kind], i.started_at, i.peak_burn, i.channel) for i in found]
    return found[key.index(max(key))] if found else None


def _top_issues(day: Survey) -> dict[Issue, float]:
    ranked = sorted(day.issues.items(), key=lambda item: (-item[1], item[0]))[:3]
    whole = sum(day.issues.values()) or 1
    return {issue: round(count / whole, 4) for issue, count in ranked}


def shares_of(buckets: Iterable[Bucket]) -> dict[str, float]:
    """Sums of what is shared out, by name."""
    total: dict[str, float] = {}
    for bucket in buckets:
        _sum(total, bucket.shares)
    return total


def _sum(total: dict[K, N], part: Mapping[K, N]) -> None:
    for key, value in part.items():
        before = total.get(key)
        total[key] = value if before is None else before + value


def _shares(day: Survey) -> dict[str, float]:
    total = dict(day.shares)
    reach = total.pop("reach", 0.0) or 1.0
    negative = total.pop("reach_negative", 0.0) / reach
    counted = {n: round(part / max(day.mentions, 1), 4) for n, part in sorted(total.items())}
    return counted | {"reach_negative": round(negative, 4)}


def _evidence(state: BrandState, end: int) -> tuple[str, ...]:
    fresh = [c for channel in state.channels.values() for c in channel.candidates]
    fresh = [c for c in fresh if c.at >= end - DAY]
    fresh.sort(key=lambda c: (-c.weight, c.mention_id))
    return tuple(c.mention_id for c in fresh[:EVIDENCE])


def _voices(state: BrandState, end: int, brand: str) -> dict[str, float]:
    """Nothing without competitors: alone, a brand has all of the voice."""
    total: dict[str, int] = {}
    for hour, counts in state.voices.items():
        if end - DAY <= hour < end:
            for name, count in counts.items():
                total[name] = total.get(name, 0) + count
    if set(total) <= {brand}:
        return {}
    whole = sum(total.values())
    return {name: round(count / whole, 4) for name, count in sorted(total.items())}
