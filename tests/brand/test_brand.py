import random
from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.brand import BrandPolicy, BrandState, observe, risk, weigh
from listener.records import Author, BrandEvidence
from tests.worlds import NOW, labels, linked, mention

POLICY = BrandPolicy()


def evidence(number: int, minutes: float, *, weight: float = 0.5) -> BrandEvidence:
    return BrandEvidence(
        mention_id=f"x:{number}",
        brand="Acme",
        event_time=NOW + timedelta(minutes=minutes),
        author=f"{number % 500:012x}",
        negative=0.7,
        weight=weight,
        issue="outage",
    )


def days_of_calm(days: int = 3) -> list[BrandEvidence]:
    return [evidence(n, n * 15) for n in range(days * 96)]


def burst(start: float, *, size: int = 120) -> list[BrandEvidence]:
    return [evidence(1000 + n, start + n * 60 / size, weight=0.8) for n in range(size)]


def told(stream: list[BrandEvidence]) -> BrandState:
    state = BrandState()
    for item in stream:
        observe(item, state, POLICY)
    return state


def test_a_calm_brand_has_no_incident_and_burns_at_one() -> None:
    """At its own usual volume the budget is spent exactly: gauge 21, no alarm."""
    state = told(days_of_calm())
    figure = risk(state, POLICY, brand="Acme")
    assert figure.incident is None
    assert 0.9 < figure.burn["24h"] < 1.1
    assert abs(figure.brand_risk - 20.6) < 2


def test_a_burst_of_many_authors_is_an_incident_that_closes_again() -> None:
    """Real (significant) and of weight (burn): found within the hour, closed with hysteresis."""
    calm, end = days_of_calm(), 3 * 1440
    state = told([*calm, *burst(end)])
    found = risk(state, POLICY, brand="Acme").incident
    assert found is not None
    assert found.ended_at is None
    for n in range(40):
        observe(evidence(5000 + n, end + 60 + n * 15), state, POLICY)
    closed = risk(state, POLICY, brand="Acme").incident
    assert closed is not None
    assert closed.ended_at is not None


def test_one_loud_author_is_no_incident() -> None:
    """Distinct authors count, not posts."""
    loud = [msgspec.structs.replace(item, author="same") for item in burst(3 * 1440)]
    assert risk(told([*days_of_calm(), *loud]), POLICY, brand="Acme").incident is None


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_stream_shuffled_inside_the_grace_gives_the_same_windows(seed: int) -> None:
    """Event time with grace: the order of arrival within two minutes changes nothing."""
    stream = [*days_of_calm(), *burst(3 * 1440)]
    rng = random.Random(seed)
    moved = sorted(stream, key=lambda e: e.event_time + timedelta(seconds=rng.uniform(0, 100)))
    straight, shuffled = told(stream), told(moved)
    assert straight.incident == shuffled.incident
    assert risk(straight, POLICY, brand="A").burn == risk(shuffled, POLICY, brand="A").burn


def test_near_duplicates_count_once_and_backfill_not_at_all() -> None:
    """A copied text adds no weight; old news is no burst."""
    state = BrandState()
    for number in range(5):
        observe(
            msgspec.structs.replace(evidence(number, number), fingerprint="00000000000000ff"),
            state,
            POLICY,
        )
    assert sum(bucket.weight for bucket in state.buckets.values()) == 0.5
    observe(msgspec.structs.replace(evidence(9, 9), backfill=True), state, POLICY)
    assert sum(bucket.mentions for bucket in state.buckets.values()) == 5


def test_state_of_a_month_stays_small() -> None:
    """A month of a busy brand fits in 100 kB."""
    state = told([evidence(n, n * 3) for n in range(28 * 480)])
    assert len(msgspec.json.encode(state)) < 100_000


def test_weights_follow_sentiment_severity_and_authenticity() -> None:
    """c = P(neg) · severity · authenticity · reach; bots and the brand itself hardly speak."""
    (plain,) = weigh(linked(judged=labels(negative=0.8, severity=4)), POLICY)
    assert plain.weight == 0.8
    robot = Author(id="b", bot=True)
    (bot,) = weigh(linked(judged=labels(negative=0.8, severity=4), author=robot), POLICY)
    assert bot.weight == 0.08
    assert weigh(linked(from_brand=True), POLICY) == []
    assert mention().author.id not in plain.author
