import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from listener.distributions import cdf, negative_binomial_tail, quantile, wilson
from listener.fit import (
    CustomerState,
    FitPolicy,
    SegmentState,
    band_of,
    evidence_of,
    observe,
    signals,
    stage_of,
)
from listener.records import FitEvidence, FitSignal, Link, Standing
from tests.worlds import NOW, labels, linked

POLICY = FitPolicy()
LINK = Link(customer_id="c", tier="T0", probability=1.0)
STANDING = Standing(segment="promo", since=NOW - timedelta(days=20))


@given(st.floats(0.05, 400), st.floats(0.05, 400), st.floats(0.001, 0.999))
def test_the_beta_distribution_agrees_with_scipy(a: float, b: float, x: float) -> None:
    """Our own function is the reference's, to nine digits."""
    assert cdf(x, a, b) == pytest.approx(stats.beta.cdf(x, a, b), abs=1e-9)
    assert quantile(x, a, b) == pytest.approx(stats.beta.ppf(x, a, b), abs=1e-6)


@given(st.integers(1, 300), st.floats(0.1, 100), st.floats(0.2, 50))
def test_the_negative_binomial_tail_agrees_with_scipy(n: int, mean: float, r: float) -> None:
    """P(X ≥ n), mean and dispersion as documented."""
    expected = stats.nbinom.sf(n - 1, r, r / (r + mean))
    assert negative_binomial_tail(n, mean, r) == pytest.approx(expected, abs=1e-9)


def test_wilson_is_the_textbook_interval() -> None:
    """10 of 100 gives 5.5 to 17.4 %; nothing of nothing tells nothing."""
    assert wilson(10, 100) == pytest.approx((0.0552, 0.1744), abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)


def population(**extra: int) -> dict[tuple[str, str], int]:
    return {(name, "8-30"): n for name, n in {"a": 400, "b": 400, "c": 400, **extra}.items()}


def told(rates: dict[str, int]) -> dict[str, SegmentState]:
    states: dict[str, SegmentState] = {}
    for segment, events in rates.items():
        state = states.setdefault(segment, SegmentState())
        for number in range(events):
            observe(event(segment, number), state, SegmentState(), POLICY)
    return states


def event(segment: str, number: int) -> FitEvidence:
    return FitEvidence(
        mention_id=f"x:{segment}{number}",
        customer_id=f"{segment}{number}",
        segment=segment,
        dimension="mismatch",
        issue="product",
        event_time=NOW,
        tenure_days=20,
        quality=1.0,
        link=1.0,
    )


def signal(found: list[FitSignal], segment: str) -> FitSignal:
    return next(s for s in found if s.segment == segment and s.dimension == "mismatch")


def test_few_customers_are_shrunk_and_many_are_flagged() -> None:
    """3 of 5 is no segment yet; 60 of 300 against a tenth stays near a fifth and is flagged."""
    states = told({"a": 35, "b": 36, "c": 34, "promo": 60})
    found = signals(states, population(promo=300), POLICY, now=NOW)
    promo = signal(found, "promo")
    assert promo.status == "elevated"
    assert 0.17 < promo.rate < 0.21
    assert signal(found, "a").status != "elevated"
    small = signals(told({"a": 40, "promo": 3}), population(promo=5), POLICY, now=NOW)
    assert all(s.segment != "promo" for s in small)


def test_a_segment_of_a_few_dozen_is_insufficient() -> None:
    """Under 30 customers nothing is claimed."""
    found = signals(told({"a": 40, "promo": 9}), population(promo=15), POLICY, now=NOW)
    assert signal(found, "promo").status == "insufficient"


def test_the_interval_covers_what_it_says() -> None:
    """On simulated segments the 90 % interval holds the true rate in 86 to 94 of 100."""
    rng, hits, total = random.Random(4), 0, 0
    for _ in range(60):
        truth = {f"s{i}": rng.betavariate(0.1 * 40, 0.9 * 40) for i in range(8)}
        rates = {s: sum(rng.random() < p for _ in range(150)) for s, p in truth.items()}
        sizes = {(s, "8-30"): 150 for s in truth}
        for s in signals(told(rates), sizes, POLICY, now=NOW + timedelta(hours=12)):
            if s.dimension == "mismatch":
                hits += s.interval.low <= truth[s.segment] <= s.interval.high
                total += 1
    assert 0.86 <= hits / total <= 0.94


def test_one_event_for_each_customer_and_issue_in_72_hours() -> None:
    """Ten posts on one trouble are one event."""
    state = CustomerState()
    judged = labels(mismatch=0.9)
    first = evidence_of(linked(1, judged=judged, link=LINK, standing=STANDING), state, POLICY)
    assert [e.dimension for e in first] == ["heard", "mismatch"]
    again = linked(2, judged=judged, link=LINK, standing=STANDING, at=NOW + timedelta(hours=71))
    assert evidence_of(again, state, POLICY) == []
    later = linked(3, judged=judged, link=LINK, standing=STANDING, at=NOW + timedelta(hours=73))
    assert len(evidence_of(later, state, POLICY)) == 1


def test_strangers_have_no_fit() -> None:
    """Without a link there is no customer to speak of."""
    assert evidence_of(linked(judged=labels(howto=1.0)), CustomerState(), POLICY) == []


def test_bands_and_stages() -> None:
    """Tenure bands end where the definitions say; one post flips no customer's stage."""
    assert [band_of(d) for d in (0, 7.9, 8, 30.9, 31, 90.9, 91)] == [
        "0-7", "0-7", "8-30", "8-30", "31-90", "31-90", "91+",
    ]  # fmt: skip
    assert stage_of(labels(churn=1.0), LINK, STANDING, now=NOW) == "adopting"
    assert stage_of(labels(purchase=0.9), Link(), None, now=NOW) == "prospect"
