"""`python -m tests.benchmarks.bursts FOLDER [RUNS]`: windows found, false episodes and delay, on
the five NAB series in FOLDER and on simulated bursts, beside three simple rules (docs/brand.md)."""

from __future__ import annotations

import csv
import json
import random
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from math import cos, pi
from pathlib import Path
from statistics import fmean, median, pstdev
from typing import NamedTuple

from listener.brand import BrandPolicy, BrandState, observe
from listener.distributions import negative_binomial_tail
from listener.records import BrandEvidence

TICK = 300
HOUR = 12
"""Ticks."""
DAY = 24 * HOUR
WEEK = 7 * DAY
START = datetime(2026, 1, 5, tzinfo=UTC)
POLICY = BrandPolicy()
FIRST_SEED = 5000
"""Others than those on which the thresholds were looked at."""
MERGE = 2 * HOUR
"""Alarms of a simple rule that are less apart are one episode, as ours are."""
WARM = 7 * DAY


class Episode(NamedTuple):
    """In ticks."""

    found: int
    end: int


Rule = Callable[[Sequence[int]], list[Episode]]


_FOUND: dict[int, tuple[list[Episode], list[Episode]]] = {}
"""By identity of the counts: the two are found in one run."""


def ours(counts: Sequence[int], *, incidents: bool = False) -> list[Episode]:
    """Each count is so many negative authors in five minutes."""
    if id(counts) not in _FOUND:
        _FOUND[id(counts)] = watched(counts)
    return _FOUND[id(counts)][incidents]


def watched(counts: Sequence[int]) -> tuple[list[Episode], list[Episode]]:
    """Bursts and incidents."""
    state = BrandState()
    bursts: dict[datetime, datetime | None] = {}
    incidents: dict[datetime, datetime | None] = {}
    for part in evidence(counts):
        for figure in observe(part, state, POLICY):
            for channel in figure.channels.values():
                if (burst := channel.burst) is not None:
                    bursts[burst.found_at] = burst.ended_at
                if (incident := channel.incident) is not None and incident.found_at is not None:
                    incidents[incident.found_at] = incident.ended_at
    last = len(counts)
    return episodes(bursts, last), episodes(incidents, last)


def episodes(found: dict[datetime, datetime | None], last: int) -> list[Episode]:
    return [Episode(ticks(at), ticks(end) if end else last) for at, end in sorted(found.items())]


def evidence(counts: Sequence[int]) -> Iterator[BrandEvidence]:
    number = 0
    for tick, count in enumerate(counts):
        for n in range(count):
            number += 1
            at = START + timedelta(seconds=TICK * tick + (n + 0.5) * TICK / count)
            yield BrandEvidence(
                mention_id=str(number), brand="b", event_time=at, author=f"{number}",
                negative=0.8, weight=0.5, issue="other",
            )  # fmt: skip


def ticks(at: datetime) -> int:
    return int((at - START).total_seconds() // TICK)


def doubled(counts: Sequence[int]) -> list[Episode]:
    """Last hour ≥ 2 × the mean hour of the 12 before."""
    sums = summed(counts)

    def alarm(t: int) -> bool:
        before = (sums[t - HOUR] - sums[t - 13 * HOUR]) / 12
        return sums[t] - sums[t - HOUR] >= max(2 * before, 1)

    return merged(t for t in range(13 * HOUR, len(counts) + 1) if alarm(t))


def deviating(counts: Sequence[int]) -> list[Episode]:
    """The last five minutes over mean + 3σ of the 24 hours before."""
    found = []
    for t in range(DAY + 1, len(counts) + 1):
        before = counts[t - 1 - DAY : t - 1]
        if counts[t - 1] > fmean(before) + 3 * pstdev(before):
            found.append(t)
    return merged(found)


def above_week(counts: Sequence[int]) -> list[Episode]:
    """Last hour ≥ 1.5 × the mean hour of the 7 days before."""
    sums = summed(counts)

    def alarm(t: int) -> bool:
        before = (sums[t - HOUR] - sums[t - HOUR - WEEK]) / (WEEK / HOUR)
        return sums[t] - sums[t - HOUR] >= max(1.5 * before, 1)

    return merged(t for t in range(WEEK + HOUR, len(counts) + 1) if alarm(t))


def attainable(counts: Sequence[int], *, hourly: float, dispersion: float) -> list[Episode]:
    """The same quarter of an hour at p < 1e-4 for one who knows the law that made the counts: a
    bound for all who judge each window by what is usual then."""
    sums = summed(counts)
    means = summed([hourly / HOUR * rhythm(t) for t in range(len(counts))])

    def alarm(t: int) -> bool:
        count, mean = sums[t] - sums[t - 3], means[t] - means[t - 3]
        likely = count < 2 * mean
        return not likely and negative_binomial_tail(int(count), mean, dispersion) < POLICY.p_sudden

    return merged(t for t in range(WEEK, len(counts) + 1) if alarm(t))


def summed(counts: Sequence[float]) -> list[float]:
    sums = [0.0]
    for count in counts:
        sums.append(sums[-1] + count)
    return sums


def merged(alarms: Iterator[int] | list[int]) -> list[Episode]:
    found: list[Episode] = []
    for t in alarms:
        if found and t - found[-1].end <= MERGE:
            found[-1] = Episode(found[-1].found, t)
        else:
            found.append(Episode(t, t))
    return found


RULES: dict[str, Rule] = {
    "ours, burst (real)": ours,
    "ours, incident (real and matters)": lambda counts: ours(counts, incidents=True),
    "last hour ≥ 2 × previous 12 h": doubled,
    "mean + 3σ of 24 h": deviating,
    "last hour ≥ 1.5 × 7-day mean": above_week,
}


def nab(folder: Path) -> None:
    labels = json.loads((folder / "windows.json").read_text())
    series = {name: read(folder / name) for name in labels}
    print("| rule | labelled windows found | median delay from the window's start | "
          "episodes outside, a week |\n|---|---|---|---|")  # fmt: skip
    for rule_name, rule in RULES.items():
        found, delays, outside, weeks, total = 0, list[float](), 0, 0.0, 0
        for name, (start, counts) in series.items():
            windows = [tuple(tick_of(w, start) for w in pair) for pair in labels[name]]
            told = [e for e in rule(counts) if e.found >= DAY]
            total += len(windows)
            weeks += (len(counts) - DAY - sum(b - a for a, b in windows)) / WEEK
            for a, b in windows:
                first = min((e.found for e in told if e.end >= a and e.found <= b),
                            default=None)  # fmt: skip
                found += first is not None
                if first is not None:
                    delays.append(max(first - a, 0) / HOUR)
            outside += sum(not any(e.end >= a and e.found <= b for a, b in windows)
                           for e in told)  # fmt: skip
        print(f"| {rule_name} | {found} of {total} | {median(delays or [0]):.1f} h | "
              f"{outside / weeks:.2f} |")  # fmt: skip


def read(path: Path) -> tuple[datetime, list[int]]:
    with path.open() as lines:
        rows = list(csv.DictReader(lines))
    return datetime.fromisoformat(rows[0]["timestamp"]), [int(r["value"]) for r in rows]


def tick_of(text: str, start: datetime) -> int:
    return int((datetime.fromisoformat(text) - start).total_seconds() // TICK)


class Trial(NamedTuple):
    counts: list[int]
    bursts: list[tuple[int, int]]


def simulated(
    seed: int, *, hourly: float, dispersion: float, weeks: int = 4, multiple: float = 6.0
) -> Trial:
    """Counts of five minutes: a rhythm of the day (×½ to ×1½) and of the week (Sundays ×.7), hours
    mixed by a gamma; after two weeks four bursts a week, of one to four hours."""
    rng = random.Random(seed)
    bursts = []
    for day in range(14, 7 * weeks, 2):
        at = day * DAY + rng.randrange(DAY)
        bursts.append((at, at + rng.randrange(HOUR, 4 * HOUR)))
    bursts = [(a, b) for a, b in bursts if b < weeks * WEEK]
    counts, noise = [], 1.0
    for t in range(weeks * WEEK):
        if t % HOUR == 0:
            noise = rng.gammavariate(dispersion, 1 / dispersion)
        rate = hourly / HOUR * rhythm(t) * noise
        if any(a <= t < b for a, b in bursts):
            rate *= multiple
        counts.append(poisson(rate, rng))
    return Trial(counts, bursts)


def rhythm(t: int) -> float:
    sunday = 0.7 if t // DAY % 7 == 6 else 1.0
    return (1 + 0.5 * cos(2 * pi * (t / HOUR % 24 - 16) / 24)) * sunday


def poisson(rate: float, rng: random.Random) -> int:
    count, left = 0, rng.expovariate(1.0)
    while left < rate:
        count += 1
        left += rng.expovariate(1.0)
    return count


def simulation(runs: int) -> None:
    print("\n| negatives an hour, dispersion | rule | 6× bursts found | of them within 30 min | "
          "median delay | false episodes a week |\n|---|---|---|---|---|---|")  # fmt: skip
    for hourly, dispersion in ((50, 10.0), (50, 5.0), (200, 10.0)):
        trials = [
            simulated(FIRST_SEED + run, hourly=hourly, dispersion=dispersion) for run in range(runs)
        ]
        known = partial(attainable, hourly=hourly, dispersion=dispersion)
        rules: dict[str, Rule] = {**RULES, "15 min, the law known": known}
        for name, rule in rules.items():
            print(f"| {hourly}, r = {dispersion:g} | {name} | {scored(rule, trials)} |")


def scored(rule: Rule, trials: Sequence[Trial]) -> str:
    delays, bursts, false, weeks = list[int](), 0, 0, 0.0
    for counts, placed in trials:
        told = [e for e in rule(counts) if e.found >= 2 * WEEK]
        weeks += (len(counts) - 2 * WEEK) / WEEK
        bursts += len(placed)
        ends = sorted(e.found for e in told)
        for a, b in placed:
            at = bisect_left(ends, a)
            inside = ends[at : bisect_right(ends, b)]
            delays += [(inside[0] - a) * 5] if inside else []
        # What was found up to an hour after a burst is of it.
        false += sum(not any(a <= e.found <= b + HOUR for a, b in placed) for e in told)
    within = sum(d <= 30 for d in delays)
    return (
        f"{len(delays) / bursts:.0%} of {bursts} | {within / bursts:.0%} | "
        f"{median(delays or [0]):.0f} min | {false / weeks:.2f}"
    )


def main() -> None:
    nab(Path(sys.argv[1]))
    simulation(int(sys.argv[2]) if len(sys.argv) > 2 else 5)


if __name__ == "__main__":
    main()
