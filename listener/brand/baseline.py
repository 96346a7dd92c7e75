"""What is usual at an hour of the week, robustly, from up to four weeks of hours.

Hours of an incident are left out. Each hour of the week is shrunk to its hour of the day, that to
the level of all hours, and that to the policy's prior: a new brand starts from the prior, and each
hour that it shows weighs more. Single outliers count as what is just still usual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from statistics import median, median_low
from typing import Final
from zoneinfo import ZoneInfo

from listener.brand.policy import BrandPolicy
from listener.brand.state import DAY, HOUR, ChannelState, Hour, Usual

DAY_WORTH: Final = 2.0
"""Days that the level is worth beside an hour of the day's own."""
WEEK_WORTH: Final = 3.0
"""Weeks that the hour of the day is worth beside an hour of the week's own."""
PRIOR_HOURS: Final = 24.0
"""Hours that the prior of the dispersion is worth."""
OUTLIER: Final = 3.0
"""Multiple of the median, plus as many, that counts at most."""
LEAST_AUTHORS: Final = 0.25
"""Authors an hour that even the quietest brand may have."""
LEAST_WEIGHT: Final = 0.05
"""The same in weighted volume: no burn of nothing."""


def slot_of(start: int, zone: ZoneInfo) -> int:
    """Hour of the week there: a change to daylight saving moves no customer's breakfast."""
    local = datetime.fromtimestamp(start, UTC).astimezone(zone)
    return local.weekday() * 24 + local.hour


class Profile:
    """Distinct negative authors an hour, for each hour of the week."""

    def __init__(self, hours: Iterable[Hour], policy: BrandPolicy) -> None:
        seen = [hour for hour in hours if not hour.spoiled]
        self._level = _level([hour.authors for hour in seen], policy)
        self._days = _grouped(seen, 24, lambda _: self._level, DAY_WORTH)
        self._weeks = _grouped(seen, 168, self._day, WEEK_WORTH)
        self.dispersion = self._dispersion(seen, policy)

    def at(self, slot: int) -> float:
        """Expected number in the hour of the week `slot`."""
        return max(self._weeks.get(slot, self._day(slot)), LEAST_AUTHORS)

    def _day(self, slot: int) -> float:
        return self._days.get(slot % 24, self._level)

    def _dispersion(self, seen: Sequence[Hour], policy: BrandPolicy) -> float:
        """r by moments about each hour's own mean, shrunk to the policy's prior."""
        means = [self.at(hour.slot) for hour in seen]
        square = self._level * self._level
        excess = PRIOR_HOURS * square / policy.prior_dispersion
        for hour, mean in zip(seen, means, strict=True):
            excess += (min(hour.authors, _most(mean)) - mean) ** 2 - mean
        whole = PRIOR_HOURS * square + sum(mean * mean for mean in means)
        return min(max(whole / max(excess, 1e-9), 0.2), 1000.0)


def usual(channel: ChannelState, hour: int, zone: ZoneInfo, policy: BrandPolicy) -> Usual:
    """What is usual in the hour that starts at `hour`, from the hours before it."""
    profile = Profile(channel.hours.values(), policy)
    seen = [h.mentions for h in channel.hours.values() if not h.spoiled]
    mentions = (policy.prior_authors * policy.prior_hours + sum(seen)) / (
        policy.prior_hours + len(seen)
    )
    return Usual(
        before=round(profile.at(slot_of(hour - HOUR, zone)), 5),
        authors=round(profile.at(slot_of(hour, zone)), 5),
        dispersion=round(profile.dispersion, 5),
        budget=_budget(channel, hour, DAY, policy),
        long_budget=_budget(channel, hour, 3 * DAY, policy),
        mentions=round(mentions, 5),
    )


def _budget(channel: ChannelState, hour: int, aside: int, policy: BrandPolicy) -> float:
    """Weighted volume an hour before what is judged: a burst must not raise the budget that it is
    measured by. A brand that is too new for that is measured by all that it has shown."""
    stop = hour - aside if hour - channel.first >= aside + policy.min_history_hours * HOUR else hour
    weight, number = policy.prior_weight * policy.prior_hours, policy.prior_hours
    for start, closed in channel.hours.items():
        if start < stop and not closed.spoiled:
            weight += closed.weight
            number += 1
    return round(max(weight / number, LEAST_WEIGHT), 5)


def _level(counts: Sequence[int], policy: BrandPolicy) -> float:
    most = _most(median(counts)) if counts else 0.0
    total = policy.prior_authors * policy.prior_hours + sum(min(n, most) for n in counts)
    return max(total / (policy.prior_hours + len(counts)), LEAST_AUTHORS)


def _grouped(
    seen: Sequence[Hour], period: int, prior: Callable[[int], float], worth: float
) -> dict[int, float]:
    groups: dict[int, list[int]] = {}
    for hour in seen:
        groups.setdefault(hour.slot % period, []).append(hour.authors)
    found = {}
    for slot, counts in groups.items():
        before = prior(slot)
        # Of two hours neither can be told to be the wild one: what lies above them decides.
        most = _most(max(median_low(counts), before) if len(counts) > 2 else before)
        found[slot] = (worth * before + sum(min(n, most) for n in counts)) / (worth + len(counts))
    return found


def _most(usual: float) -> float:
    return OUTLIER * usual + OUTLIER
