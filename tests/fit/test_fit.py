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
    answered,
    band_of,
    evidence_of,
    excuse,
    learn,
    observe,
    signals,
    stage_of,
)
from listener.records import FitEvidence, FitSignal, IncidentWindow, Link, Reply, Standing
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


def told_by(found: list[FitSignal], dimension: str) -> FitSignal:
    (signal,) = [s for s in found if s.dimension == dimension]
    return signal


def test_a_mismatch_says_what_was_expected_otherwise_where_that_is_known() -> None:
    """By the issue; where that is unsure or says nothing of it, there is no reason."""
    state = SegmentState()
    for number, (issue, unsure) in enumerate(
        [("billing", ()), ("policy", ()), ("feature", ()), ("other", ()), ("staff", ("issue",))]
    ):
        said = linked(
            number, judged=labels(mismatch=0.8, issue=issue), unsure=unsure, link=LINK,
            standing=STANDING,
        )  # fmt: skip
        for part in evidence_of(said, CustomerState(), POLICY):
            observe(part, state, SegmentState(), POLICY)
    found = signals({"promo": state}, {("promo", "8-30"): 40}, POLICY, now=NOW)
    signal = told_by(found, "mismatch")
    assert signal.reasons == {"capability": 0.2, "price": 0.4}
    assert told_by(found, "success").reasons == {}
    window = IncidentWindow(brand="Acme", incident_id="1", started_at=NOW - timedelta(hours=1))
    excuse(window, state)
    found = signals({"promo": state}, {("promo", "8-30"): 40}, POLICY, now=NOW)
    assert told_by(found, "mismatch").reasons == {}


def reply(number: int, *, answers: str, hours: float) -> Reply:
    at = NOW + timedelta(hours=hours)
    return Reply(mention_id=f"x:a{number}", answers=answers, author="desk", at=at, observed_at=at)


def test_education_effort_is_what_agents_write_on_questions_how() -> None:
    """Every answer on the thread is a message, also to what the customer adds; one event in 72
    hours for each issue; other threads and threads that broke their SLA cost no teaching."""
    customer = CustomerState()
    how, fine = labels(howto=0.9), labels()
    asked = linked(1, judged=how, link=LINK, standing=STANDING)
    assert learn(asked, customer, POLICY, unresolved=0, breached=False, now=NOW).asks
    more = linked(2, judged=fine, link=LINK, standing=STANDING, parent="x:a1")
    found = answered(reply(1, answers="x:1", hours=1), customer, POLICY)
    assert learn(more, customer, POLICY, unresolved=0, breached=False, now=NOW).asks
    found += answered(reply(2, answers="x:2", hours=2), customer, POLICY)
    assert answered(reply(2, answers="x:2", hours=2), customer, POLICY) == []
    assert [e.dimension for e in found] == ["agent_messages", "education_effort", "agent_messages"]
    assert {(e.mention_id, e.event_time, e.quality) for e in found} == {("x:1", NOW, 0.9)}
    plain = linked(3, judged=fine, link=LINK, standing=STANDING)
    assert not learn(plain, customer, POLICY, unresolved=0, breached=False, now=NOW).asks
    late = linked(4, judged=how, link=LINK, standing=STANDING)
    assert not learn(late, CustomerState(), POLICY, unresolved=0, breached=True, now=NOW).asks
    assert answered(reply(4, answers="x:3", hours=3), customer, POLICY) == []


def test_education_effort_is_told_in_messages_and_minutes_a_customer() -> None:
    """Two answers to one of forty customers, five minutes each, weighted like every event."""
    state, customer = SegmentState(), CustomerState()
    asked = linked(1, judged=labels(howto=0.9), link=LINK, standing=STANDING)
    learn(asked, customer, POLICY, unresolved=0, breached=False, now=NOW)
    for number in (1, 2):
        for part in answered(reply(number, answers="x:1", hours=number), customer, POLICY):
            observe(part, state, SegmentState(), POLICY)
    found = signals({"promo": state}, {("promo", "8-30"): 40}, POLICY, now=NOW)
    signal = told_by(found, "education_effort")
    assert signal.messages == pytest.approx(2 * 0.9 / 40, rel=0.05)
    assert signal.minutes == pytest.approx(5 * 2 * 0.9 / 40, rel=0.05)
    assert signal.evidence == ("x:1",)
    assert told_by(found, "mismatch").messages is None


def test_a_campaign_is_measured_by_the_others() -> None:
    """Half of all customers raise the mean of all to where they seem hardly above it; the few
    customers of a small one prove nothing against a large one, alone nobody is above others, and
    what nobody shows is nobody's merit."""
    found = signals(
        told({"a": 36, "promo": 72}), {("a", "8-30"): 300, ("promo", "8-30"): 300}, POLICY, now=NOW
    )
    status = {s.segment: s.status for s in found if s.dimension == "mismatch"}
    assert status == {"a": "better", "promo": "elevated"}
    promo = next(s for s in found if s.segment == "promo" and s.dimension == "mismatch")
    assert promo.rate < 1.25 * 0.25
    assert promo.others < promo.pooled
    for sizes in ({("promo", "8-30"): 300, ("tiny", "8-30"): 10}, {("promo", "8-30"): 300}):
        found = signals(told({"promo": 36}), sizes, POLICY, now=NOW)
        assert {s.status for s in found if s.n == 300} == {"typical"}
