"""Hours of the week, dispersion, dates: what a burst is measured against."""

import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from scipy import stats

from listener.brand import BrandPolicy
from listener.brand.baseline import Profile, slot_of
from listener.brand.kleinberg import busy
from listener.brand.state import Hour
from tests.brand.streams import busy_days, figures

ROME = ZoneInfo("Europe/Rome")


def hours(counts: list[int], *, first: datetime, zone: ZoneInfo) -> list[Hour]:
    start = int(first.timestamp())
    return [
        Hour(slot=slot_of(start + 3600 * n, zone), authors=count) for n, count in enumerate(counts)
    ]


def test_a_change_to_daylight_saving_moves_no_breakfast() -> None:
    """Busy from 8 to 9 by the local clock, on either side of 29 March."""
    first = datetime(2026, 3, 15, tzinfo=UTC)
    slots = [slot_of(int(first.timestamp()) + 3600 * n, ROME) for n in range(28 * 24)]
    seen = [Hour(slot=slot, authors=40 if slot % 24 == 8 else 2) for slot in slots]
    profile = Profile(seen, BrandPolicy())
    before = datetime(2026, 3, 27, 8, tzinfo=ROME).timestamp()
    after = datetime(2026, 3, 30, 8, tzinfo=ROME).timestamp()
    assert after - before == 71 * 3600
    for at in (before, after):
        assert profile.at(slot_of(int(at), ROME)) > 30
        assert profile.at(slot_of(int(at) + 3600, ROME)) < 4


def test_a_new_brand_starts_from_the_prior_and_leans_on_what_it_has() -> None:
    """Nothing seen: the prior. A day seen: the level. Four weeks seen: each hour its own."""
    policy = BrandPolicy(prior_authors=3.0)
    assert Profile([], policy).at(5) == 3.0
    first = datetime(2026, 5, 4, tzinfo=UTC)
    day = [20 if 8 <= n % 24 < 20 else 2 for n in range(24)]
    early = Profile(hours(day, first=first, zone=ZoneInfo("UTC")), policy)
    late = Profile(hours(day * 28, first=first, zone=ZoneInfo("UTC")), policy)
    assert 2 < early.at(3) < 11 < early.at(12) < 20
    assert late.at(3) == pytest.approx(2, abs=1)
    assert late.at(12) == pytest.approx(20, abs=1)


def test_one_wild_hour_moves_the_baseline_little() -> None:
    """A thousand authors once count as what is just still usual."""
    first = datetime(2026, 5, 4, tzinfo=UTC)
    calm = [10] * 336
    wild = [*calm[:100], 1000, *calm[101:]]
    levels = [
        Profile(hours(c, first=first, zone=ZoneInfo("UTC")), BrandPolicy()) for c in (calm, wild)
    ]
    slot = slot_of(int(first.timestamp()) + 100 * 3600, ZoneInfo("UTC"))
    assert levels[1].at(slot) < 1.7 * levels[0].at(slot)


def test_the_dispersion_is_that_of_the_stream() -> None:
    """Estimated from four weeks, within a half of the truth: single wild hours are cut off."""
    rng = random.Random(3)
    for truth in (3.0, 10.0):
        counts = [
            int(stats.nbinom.rvs(truth, truth / (truth + 50), random_state=rng.randrange(2**31)))
            for _ in range(672)
        ]
        first = datetime(2026, 5, 4, tzinfo=UTC)
        profile = Profile(hours(counts, first=first, zone=ZoneInfo("UTC")), BrandPolicy())
        assert profile.dispersion == pytest.approx(truth, rel=0.5)


def test_the_automaton_finds_the_burst_and_no_single_spike() -> None:
    """Twelve steps at five times the usual are a burst; one step is none."""
    counts = [10] * 30 + [50] * 12 + [10] * 30
    found = busy(counts, [10.0] * 72, 20.0, multiple=3.0, cost=1.0)
    assert [n for n, is_busy in enumerate(found) if is_busy] == list(range(30, 42))
    spike = [10] * 30 + [22] + [10] * 30
    assert not any(busy(spike, [10.0] * 61, 20.0, multiple=3.0, cost=1.0))


def test_ordinary_weeks_with_a_rhythm_open_nothing() -> None:
    """Two weeks at 12 an hour with the day's rhythm and overdispersion: no burst, no incident."""
    told = figures(list(busy_days(14, hourly=12, seed=1)))
    assert all(c.incident is None for f in told for c in f.channels.values())
    assert len({c.burst.found_at for f in told for c in f.channels.values() if c.burst}) <= 1
    first, last = told[0].channels["public"], told[-1].channels["public"]
    assert (first.baseline, last.baseline) == ("prior", "warming")


def test_a_slow_leak_becomes_a_ticket_and_no_page() -> None:
    """From the tenth day on two and a half times as much: a ticket within three days."""
    calm = list(busy_days(9, hourly=6, seed=2, dispersion=50))
    leak = [e for e in busy_days(14, hourly=15, seed=5, dispersion=50)
            if e.event_time > calm[-1].event_time]  # fmt: skip
    told = figures([*calm, *leak])
    kinds = {f.incident.kind for f in told if f.incident}
    assert kinds == {"ticket"}
    found = next(f.incident.found_at for f in told if f.incident)
    assert found is not None
    assert 0.5 < (found - calm[-1].event_time).total_seconds() / 86_400 < 3
