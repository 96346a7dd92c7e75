"""`python -m tests.benchmarks.campaigns [RUNS]`: customers whose truth is known (docs/brand.md).

Each run has eight campaigns; each customer of the band 8-30 has an event with the campaign's own
probability, at a random time of the stay; labels come with calibrated probabilities.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from scipy import stats

from listener.fit import FitPolicy, SegmentState, excuse, know, observe, signals
from listener.records import FitEvidence, FitSignal, IncidentWindow

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
POLICY = FitPolicy()
STAY = 23
DECAY = 0.5 ** (1 / 30)
MEAN_WEIGHT = sum(DECAY**age for age in range(STAY)) / STAY
"""Events are weighted by age: what a campaign of probability p shows is p times this."""
SEGMENTS = 8
OUTAGE = IncidentWindow(
    brand="Acme", incident_id="Acme:1", started_at=NOW - timedelta(days=2, hours=3),
    ended_at=NOW - timedelta(days=2),
)  # fmt: skip


def event(segment: str, number: int, at: datetime, quality: float) -> FitEvidence:
    return FitEvidence(
        mention_id=f"{segment}{number}", customer_id=f"{segment}{number}", segment=segment,
        dimension="learning_difficulty", issue="product", event_time=at, tenure_days=20,
        quality=quality, link=1.0, brand="Acme",
    )  # fmt: skip


def told(
    truth: Mapping[str, float], n: int, rng: random.Random, *, outage: str = "", censor: bool = True
) -> dict[str, FitSignal]:
    """Signals of one run. In `outage` a fifth of that campaign's customers ask how as well."""
    everyone, states = SegmentState(), {segment: SegmentState() for segment in truth}
    for segment, rate in truth.items():
        for number in range(n):
            for event_ in said(segment, number, rate, rng, in_outage=segment == outage):
                observe(event_, states[segment], everyone, POLICY)
    if outage and censor:
        know(OUTAGE, everyone)
        for state in states.values():
            excuse(OUTAGE, state)
    sizes = {(segment, "8-30"): n for segment in truth}
    found = signals(states, sizes, POLICY, now=NOW)
    return {s.segment: s for s in found if s.dimension == "learning_difficulty"}


def said(
    segment: str, number: int, rate: float, rng: random.Random, *, in_outage: bool
) -> list[FitEvidence]:
    """A label of probability q is true with q; what is under the threshold is lost."""
    events = []
    quality = rng.betavariate(8, 2)
    if rng.random() < rate / 0.8:
        at = NOW - timedelta(days=rng.uniform(0, STAY))
        events.append(event(segment, number, at, quality))
    if in_outage and rng.random() < 0.2:
        at = OUTAGE.started_at + timedelta(minutes=rng.uniform(0, 180))
        events.append(event(segment, 10_000 + number, at, quality))
    return events


def share(hits: list[bool]) -> str:
    return f"{sum(hits) / len(hits):.1%} of {len(hits)}"


def coverage(runs: int, n: int, rng: random.Random) -> None:
    inside, flagged, missing = list[bool](), list[bool](), 0
    for _ in range(runs):
        truth = {f"s{i}": rng.betavariate(0.12 * 40, 0.88 * 40) for i in range(SEGMENTS)}
        mean = sum(truth.values()) / SEGMENTS
        for segment, signal in told(truth, n, rng).items():
            shown = truth[segment] * MEAN_WEIGHT
            inside.append(signal.interval.low <= shown <= signal.interval.high)
            missing += signal.status == "insufficient"
            if truth[segment] <= 1.25 * mean:
                flagged.append(signal.status == "elevated")
    print(f"n = {n}: 90 % interval holds the truth in {share(inside)}; elevated though at most "
          f"1.25 × the mean in {share(flagged)}; insufficient {missing}")  # fmt: skip


def same(runs: int, n: int, rng: random.Random) -> None:
    """All campaigns alike: nothing is to be flagged."""
    flagged = [
        signal.status == "elevated"
        for _ in range(runs)
        for signal in told({f"s{i}": 0.12 for i in range(SEGMENTS)}, n, rng).values()
    ]
    print(f"n = {n}: all alike, elevated {share(flagged)}")


def power(runs: int, n: int, multiple: float, rng: random.Random, *, base: float) -> None:
    found = []
    for _ in range(runs):
        truth = {f"s{i}": base for i in range(SEGMENTS - 1)} | {"promo": multiple * base}
        found.append(told(truth, n, rng)["promo"].status == "elevated")
    known = attainable(n, multiple, base, of_all=False)
    raised = attainable(n, multiple, base, of_all=True)
    print(f"n = {n}, base {base:.0%}: power at {multiple} × is {share(found)}; the best test that "
          f"is told the mean of the others {known:.1%}, of all {raised:.1%}")  # fmt: skip


def attainable(n: int, multiple: float, base: float, *, of_all: bool) -> float:
    """Power of the uniformly most powerful test of θ ≤ 1.25·m at 5 %: n customers of whom each is
    seen to be one who asks or not, and m is known."""
    mean = base * (SEGMENTS - 1 + multiple) / SEGMENTS if of_all else base
    least = stats.binom.ppf(0.95, n, POLICY.above * mean)
    return float(stats.binom.sf(least, n, multiple * base))


def edge(runs: int, n: int, rng: random.Random) -> None:
    """A campaign at just 1.25 times the others: the worst case that is not to be flagged."""
    truth = {f"s{i}": 0.12 for i in range(SEGMENTS - 1)} | {"promo": 0.15}
    found = [told(truth, n, rng)["promo"].status == "elevated" for _ in range(runs)]
    print(f"n = {n}: at just 1.25 × the others, elevated {share(found)}")


def outages(runs: int, n: int, rng: random.Random) -> None:
    for censor in (True, False):
        found = []
        for _ in range(runs):
            truth = {f"s{i}": 0.12 for i in range(SEGMENTS)}
            signals_ = told(truth, n, rng, outage="s0", censor=censor)
            found.append(signals_["s0"].status == "elevated")
        name = "excused" if censor else "not excused"
        print(f"n = {n}: an outage of ours makes a fifth of s0 ask how; {name}: elevated "
              f"{share(found)}")  # fmt: skip


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    rng = random.Random(7)
    for n in (100, 300, 1000):
        coverage(runs, n, rng)
    for n in (100, 300, 1000):
        same(runs, n, rng)
        edge(runs, n, rng)
    for base in (0.12, 0.25):
        for multiple in (1.5, 2.0):
            for n in (300, 1000):
                power(runs, n, multiple, rng, base=base)
    outages(runs, 300, rng)


if __name__ == "__main__":
    main()
