from datetime import timedelta

import msgspec
import pytest

from listener.brand import BrandPolicy, risk, weigh
from listener.records import Author, Link
from tests.brand.streams import POLICY, burst, days_of_calm, evidence, figures, told
from tests.worlds import NOW, labels, linked, mention

END = 3 * 1440


def test_a_calm_brand_has_no_incident_and_burns_at_one() -> None:
    """At its own usual volume the budget is spent exactly: gauge 21, no alarm."""
    figure = risk(told(days_of_calm(7)), POLICY, brand="Acme")
    assert figure.incident is None
    assert 0.9 < figure.burn["24h"] < 1.1
    assert abs(figure.brand_risk - 20.6) < 2
    assert figure.channels["public"].burst is None


def test_a_burst_of_many_authors_is_an_incident_that_closes_again() -> None:
    """Real (significant) and of weight (burn): found within the hour, closed with hysteresis, and
    dated by the automaton to where it was."""
    told_of = figures(
        [*days_of_calm(), *burst(END), *(evidence(5000 + n, END + 60 + n * 15) for n in range(40))]
    )
    opened = next(f.incident for f in told_of if f.incident)
    closed = told_of[-1].incident
    assert closed is not None
    assert opened.found_at is not None
    assert opened.found_at <= NOW + timedelta(minutes=END + 60)
    assert abs(closed.started_at - (NOW + timedelta(minutes=END))) <= timedelta(minutes=5)
    assert closed.ended_at is not None
    assert abs(closed.ended_at - (NOW + timedelta(minutes=END + 60))) <= timedelta(minutes=10)
    assert closed.incident_id == opened.incident_id


def test_one_loud_author_is_no_incident() -> None:
    """Distinct authors count, not posts; and of a flood of one author little weighs."""
    loud = burst(END, author="same")
    figure = figures([*days_of_calm(), *loud, evidence(1, END + 70)])[-1]
    assert figure.incident is None
    assert figure.channels["public"].burst is None
    assert figure.burn["1h"] < 10


def test_500_copies_are_one_complaint_and_their_reach() -> None:
    """A near-duplicate adds reach to its cluster, no author, no complaint; reposts likewise."""
    copies = burst(END, size=500, fingerprint="00000000000000ff", reach=10)
    copies = [msgspec.structs.replace(c, repost=n > 0) for n, c in enumerate(copies)]
    state = told([*days_of_calm(), *copies, evidence(1, END + 120)])
    buckets = state.channels["public"].buckets.values()
    weight = sum(b.weight for b in buckets if b.shares.get("duplicate"))
    # One complaint of .8 at an audience of 10, then of 5,000.
    assert weight == pytest.approx(0.8 * 1.925 / 1.260, rel=0.02)
    assert risk(state, POLICY, brand="Acme").incident is None
    assert risk(state, POLICY, brand="Acme").shares["duplicate"] > 0.8


def test_backfill_and_repeats_of_the_same_message_count_nothing() -> None:
    """Old news is no burst; a message that a producer sent twice is one."""
    stream = [evidence(1, 0), evidence(1, 0), evidence(2, 1, backfill=True), evidence(3, 130)]
    state = told([*stream, evidence(4, 200)])
    assert sum(b.mentions for b in state.channels["public"].buckets.values()) == 2


def test_an_incident_carries_what_speaks_for_it() -> None:
    """Known customers, support's lift, issues against their usual, five unlike mentions."""
    calm = days_of_calm()
    desk = [evidence(50_000 + n, n * 60, channel="support") for n in range(72)]
    flood = burst(END, channel="support", size=30, mention_id="x:s")
    flood = [msgspec.structs.replace(e, mention_id=f"x:s{n}") for n, e in enumerate(flood)]
    loud = [
        msgspec.structs.replace(
            e, known=n % 4 == 0, new_account=n % 10 == 0,
            issue=("outage", "outage", "billing", "staff")[n % 4], permalink=f"https://x.example/{n}",
        )
        for n, e in enumerate(burst(END))
    ]  # fmt: skip
    stream = sorted([*calm, *desk, *flood, *loud], key=lambda e: e.event_time)
    incident = figures(stream)[-1].channels["public"].incident
    assert incident is not None
    assert incident.grounds is not None
    found = incident.grounds
    assert found.known == pytest.approx(0.25, abs=0.05)
    assert found.new_account == pytest.approx(0.1, abs=0.05)
    assert found.support_lift is not None
    assert found.support_lift > 5
    assert found.issues[0].issue == "outage"
    assert found.issues[0].count > 5 * found.issues[0].usual
    assert len({s.mention_id for s in found.samples}) == 5
    assert len({s.issue for s in found.samples}) == 3
    assert found.first_mention == "x:100000"


def test_state_of_a_month_stays_small() -> None:
    """A month of a busy brand fits in 100 kB."""
    state = told([evidence(n, n * 3) for n in range(28 * 480)])
    assert len(msgspec.json.encode(state)) < 100_000


def test_weights_follow_sentiment_severity_and_authenticity() -> None:
    """c = P(neg) · severity · authenticity · reach; bots and the brand itself hardly speak, and
    reach counts up to what is usual for the source."""
    (plain,) = weigh(linked(judged=labels(negative=0.8, severity=4)), POLICY)
    assert plain.weight == 0.8
    robot = Author(id="b", bot=True)
    (bot,) = weigh(linked(judged=labels(negative=0.8, severity=4), author=robot), POLICY)
    assert bot.weight == 0.08
    star = Author(id="s", followers=10**7)
    capped = BrandPolicy(reach_caps={"x": 99})
    (heard,) = weigh(linked(judged=labels(negative=0.8, severity=4), author=star), capped)
    assert heard.weight == pytest.approx(0.8 * 1.5)
    assert weigh(linked(from_brand=True), POLICY) == []
    assert weigh(linked(op="update"), POLICY) == []
    assert mention().author.id not in plain.author
    (known,) = weigh(linked(link=Link(customer_id="c", probability=0.9)), POLICY)
    assert known.known == 0.9


def test_share_of_voice_is_among_the_policys_competitors() -> None:
    """What is said of a competitor counts in the brand's share of voice and nowhere else."""
    policy = BrandPolicy(competitors={"Acme": ("Other",)})
    parts = weigh(linked(brands=("Other",)), policy)
    assert [(p.brand, p.rival) for p in parts] == [("Other", None), ("Acme", "Other")]
    rivals = [evidence(90_000 + n, n * 5, rival="Other") for n in range(3 * 288)]
    stream = sorted([*days_of_calm(), *rivals], key=lambda e: e.event_time)
    figure = figures(stream, policy)[-1]
    assert figure.share_of_voice == pytest.approx({"Acme": 0.25, "Other": 0.75}, abs=0.02)
    assert figure.mentions_24h == pytest.approx(96, abs=2)
