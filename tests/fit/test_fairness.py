"""What does not count against a customer, and what is made of one customer's signals."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from agents.fit import fit
from agents.flow import Incoming, Ledger, Origin, Outcome
from listener.codec import decode, encode
from listener.fit import (
    CustomerState,
    FitPolicy,
    SegmentState,
    evidence_of,
    excuse,
    indices,
    know,
    learn,
    observe,
    signals,
)
from listener.fit.segments import Tally
from listener.records import FitEvidence, FitIndex, FitSignal, IncidentWindow, Link, Standing
from listener.sources.masking import mask_bytes
from listener.topics import DEAD_LETTERS, FIT_INDEX, FIT_SIGNALS, STATE_SEGMENTS
from tests.worlds import NOW, labels, linked

POLICY = FitPolicy()
LINK = Link(customer_id="c", tier="T0", probability=1.0)
NEW = Standing(segment="promo", since=NOW - timedelta(days=10))
OUTAGE = IncidentWindow(
    brand="Acme", incident_id="Acme:1", started_at=NOW - timedelta(hours=1),
    ended_at=NOW + timedelta(hours=1),
)  # fmt: skip


def event(number: int, *, at: datetime = NOW, brand: str | None = "Acme") -> FitEvidence:
    return FitEvidence(
        mention_id=f"x:{number}", customer_id=f"c{number}", segment="promo",
        dimension="learning_difficulty", issue="outage", event_time=at, tenure_days=20,
        quality=1.0, link=1.0, brand=brand,
    )  # fmt: skip


def counted(state: SegmentState) -> tuple[float, float]:
    tally = state.tallies["learning_difficulty:8-30"]
    return sum(tally.mass.values()), sum(tally.censored.values())


@pytest.mark.parametrize("known_first", [True, False])
def test_what_is_said_in_an_incident_does_not_count(known_first: bool) -> None:
    """Whether the incident is known before the question or found after it."""
    everyone, state = SegmentState(), SegmentState()
    said = [event(1), event(2, at=NOW + timedelta(hours=3)), event(3, brand="Other")]
    if known_first:
        know(OUTAGE, everyone)
    for item in said:
        observe(item, state, everyone, POLICY)
    if not known_first:
        know(OUTAGE, everyone)
        excuse(OUTAGE, state)
    assert counted(state) == (2.0, 1.0)
    assert state.tallies["learning_difficulty:8-30"].evidence == ["x:2", "x:3"]


def test_a_thread_that_broke_its_sla_does_not_count() -> None:
    """The customer was heard; that they ask how is our failure."""
    said = linked(judged=labels(howto=0.9), link=LINK, standing=NEW)
    found = evidence_of(said, CustomerState(), POLICY, breached=True)
    assert [e.dimension for e in found] == ["heard"]


def test_coverage_counts_whoever_was_heard() -> None:
    """A customer who writes ten times is one; one who never writes is none."""
    state, customer = SegmentState(), CustomerState()
    for number in range(10):
        said = linked(number, link=LINK, standing=NEW, at=NOW + timedelta(minutes=number))
        for part in evidence_of(said, customer, POLICY):
            observe(part, state, SegmentState(), POLICY)
    found = signals({"promo": state}, {("promo", "8-30"): 20}, POLICY, now=NOW)
    assert {s.coverage for s in found} == {0.05}


def test_errors_of_the_classifier_are_taken_out() -> None:
    """Rogan and Gladen: of 20 % seen with sensitivity .8 and 5 % false, 20 % are true."""
    policy = FitPolicy(accuracy={"learning_difficulty": (0.8, 0.95)})
    states: dict[str, SegmentState] = {}
    for segment in "abcd":
        state = states.setdefault(segment, SegmentState())
        state.tallies["heard:8-30"] = Tally(mass={int(NOW.timestamp() // 86_400): 200.0})
        for number in range(40):
            observe(event(number), state, SegmentState(), policy)
    sizes = {(segment, "8-30"): 200 for segment in "abcd"}
    found = [
        s for s in signals(states, sizes, policy, now=NOW) if s.dimension == "learning_difficulty"
    ]
    assert {s.coverage for s in found} == {1.0}
    assert found[0].rate == pytest.approx(0.2, abs=0.01)
    with pytest.raises(ValueError, match="no better than chance"):
        FitPolicy(accuracy={"mismatch": (0.5, 0.5)})


def test_one_post_flips_no_stage_and_two_on_other_days_do() -> None:
    """At risk takes two signs of leaving; a fortnight without any lets go."""
    state = CustomerState()

    def stage(number: int, days: float, *, churn: float = 0.0, advocacy: float = 0.0) -> str | None:
        at = NOW + timedelta(days=days)
        said = linked(
            number, judged=labels(churn=churn, advocacy=advocacy), link=LINK, standing=NEW, at=at
        )
        told = learn(said, state, POLICY, unresolved=0, breached=False, now=at).stage
        return told.stage if told else None

    assert stage(1, 0, churn=0.9) == "adopting"
    assert stage(2, 0.1, churn=0.9) is None
    assert stage(3, 2, churn=0.9) == "at_risk"
    assert stage(4, 10) is None
    assert stage(5, 17) == "adopting"
    assert stage(6, 22) == "retained"
    assert stage(7, 23, advocacy=0.9) is None
    assert stage(8, 30, advocacy=0.9) == "advocate"


def test_strangers_are_prospects_only_where_they_want_to_buy() -> None:
    """Nothing is told of everybody who ever wrote."""
    state = CustomerState()
    told = learn(linked(), state, POLICY, unresolved=0, breached=False, now=NOW)
    assert told == ([], None, None, False)
    wants = linked(2, judged=labels(purchase=0.9))
    stage = learn(wants, state, POLICY, unresolved=0, breached=False, now=NOW).stage
    assert stage is not None
    assert (stage.stage, stage.evidence) == ("prospect", ("x:2",))


def test_help_is_offered_with_a_reason_and_once_a_fortnight() -> None:
    """Who asks the same again gets education; the next sign within a fortnight nothing more."""
    state, offers = CustomerState(), []
    for number, days in enumerate((0, 0.01, 4, 6)):
        at = NOW + timedelta(days=days)
        said = linked(number, judged=labels(howto=0.9), link=LINK, standing=NEW, at=at)
        heard = learn(said, state, POLICY, unresolved=0, breached=False, now=at)
        offers += [heard.offer] if heard.offer else []
    assert [(o.kind, o.at) for o in offers] == [("education", NOW + timedelta(days=4))]
    assert offers[0].reason == "asked about billing again within 14 days"
    odd = linked(9, judged=labels(mismatch=0.9), link=LINK, standing=NEW)
    call = learn(odd, CustomerState(), POLICY, unresolved=0, breached=False, now=NOW).offer
    assert call is not None
    assert call.kind == "onboarding_call"


def test_the_index_tells_what_a_customer_who_fits_costs() -> None:
    """Twice the usual difficulty: the index falls under 100, and the adjusted cost rises."""
    policy = FitPolicy(spend={"promo": 3000.0})
    states = {"promo": SegmentState(), "other": SegmentState()}
    for number in range(60):
        observe(event(number), states["promo"], SegmentState(), policy)
    sizes = {("promo", "8-30"): 300, ("other", "8-30"): 300}
    found = signals(states, sizes, policy, now=NOW)
    other, promo = indices(found, sizes, policy, now=NOW)
    assert promo.index < 90 < 100 < other.index
    assert promo.vector["learning_difficulty"] > 1.5
    assert promo.cost == 10.0
    assert promo.adjusted_cost == pytest.approx(1000 / promo.index, abs=0.02)
    assert other.cost is None


async def run(*records: FitEvidence | IncidentWindow) -> list[Outcome]:
    segments = Ledger({}, topic=STATE_SEGMENTS, kind=SegmentState, snapshots=False)
    hop = fit(segments, lambda _: {("promo", "8-30"): 50}, policy=POLICY, mask=mask_bytes)

    async def batches() -> AsyncIterator[list[Incoming]]:
        for n, record in enumerate(records):
            origin = Origin("raw.0", 64 * n)
            yield [Incoming("t", 0, n, b"k", encode(record), NOW, origin)]

    return [outcome async for outcome in hop(batches())]


async def test_signals_are_told_once_an_hour_where_they_changed() -> None:
    """By event time; the first event of an hour tells how things stood at its beginning."""
    hour = timedelta(hours=1)
    stream = [event(1), event(2), event(3, at=NOW + hour), event(4, at=NOW + hour * 1.2)]
    outcomes = await run(*stream, OUTAGE, event(5, at=NOW + 2 * hour))
    topics = [{out.topic for out in outcome.outputs} for outcome in outcomes]
    both = {FIT_SIGNALS.name, FIT_INDEX.name}
    # The outage excuses two, two others have come: that is no news.
    assert topics == [{FIT_SIGNALS.name}, set(), both, set(), set(), set()]
    rates = {
        n: decode(out.value, FitSignal).rate
        for n, outcome in enumerate(outcomes)
        for out in outcome.outputs
        if out.topic == FIT_SIGNALS.name and b"learning" in (out.key or b"")
    }
    assert rates[2] > rates[0]
    assert decode(outcomes[2].outputs[-1].value, FitIndex).customers == 50


async def test_a_record_that_fails_takes_nothing_of_its_batch_with_it() -> None:
    """What came before it in the batch counts once, an incident among it too; so does the rest."""
    good = [event(1), event(2), OUTAGE, event(3, at=NOW + timedelta(hours=2))]
    bad = event(9, at=NOW + timedelta(hours=1))

    def population(now: datetime) -> dict[tuple[str, str], int]:
        if now == NOW + timedelta(hours=1):
            raise ValueError("no such hour")
        return {("promo", "8-30"): 50}

    states, letters = [], []
    for records in ([*good[:3], bad, *good[3:]], good):
        segments = Ledger({}, topic=STATE_SEGMENTS, kind=SegmentState, snapshots=False)
        batch = [
            Incoming("t", 0, n, b"k", encode(record), NOW, Origin("raw.0", n))
            for n, record in enumerate(records)
        ]

        async def batches(batch: list[Incoming] = batch) -> AsyncIterator[list[Incoming]]:
            yield batch

        hop = fit(segments, population, policy=POLICY, mask=mask_bytes)
        (outcome,) = [outcome async for outcome in hop(batches())]
        letters.append(sum(out.topic == DEAD_LETTERS.name for out in outcome.outputs))
        states.append(segments.states())
    assert letters == [1, 0]
    assert counted(states[0]["promo"]) == (1.0, 2.0)
    assert encode(states[0]) == encode(states[1])
