"""Clocks, routes, threads, groups, links: one rule a test."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.escalation import (
    EscalationPolicy,
    Given,
    SubjectState,
    arrive,
    hear,
    strike,
    tick,
)
from listener.escalation.hours import Hours, after, elapsed
from listener.escalation.policy import Andon
from listener.escalation.routes import Match, Override, Route, RouteStep, Schedule
from listener.records import Author, GroupHit, Link
from tests.escalation.desk import ANGRY, MILD, WORST, Desk, calm, thankful
from tests.worlds import MODEL, NOW, labels, linked

FRIDAY = datetime(2026, 5, 1, 15, 0, tzinfo=UTC)
OFFICE = Hours(timezone="Europe/Berlin", opens="09:00", closes="18:00", country="DE")
minutes = st.floats(0, 20_000)


def test_business_time_rests_at_night_on_weekends_and_on_holidays() -> None:
    """Berlin, Thursday 30 April 2026, 17:30: half an hour today, then Labour Day and a weekend."""
    start = datetime(2026, 4, 30, 15, 30, tzinfo=UTC)
    assert after(start, 3600, OFFICE, "P2") == datetime(2026, 5, 4, 7, 30, tzinfo=UTC)
    assert elapsed(start, datetime(2026, 5, 4, 7, 30, tzinfo=UTC), OFFICE, "P2") == 3600
    assert after(start, 3600, OFFICE, "P1") == start + timedelta(hours=1)


def test_business_time_keeps_local_hours_when_the_clocks_change() -> None:
    """Nine o'clock in Berlin is 8:00 UTC in winter and 7:00 in summer."""
    friday_evening = datetime(2026, 3, 27, 20, 0, tzinfo=UTC)
    assert after(friday_evening, 60, OFFICE, "P3") == datetime(2026, 3, 30, 7, 1, tzinfo=UTC)


@given(minutes, minutes)
def test_what_has_elapsed_when_it_is_due_is_the_target(wait: float, offset: float) -> None:
    """The two functions are each other's inverse."""
    start = NOW + timedelta(minutes=offset)
    due = after(start, wait * 6, OFFICE, "P3")
    assert elapsed(start, due, OFFICE, "P3") == pytest.approx(wait * 6, abs=0.01)


def test_free_days_of_the_house_count() -> None:
    house = Hours(holidays=(date(2026, 5, 4),), days=("mon", "tue"))
    assert after(NOW, 60, house, "P3") == datetime(2026, 5, 5, 9, 1, tzinfo=UTC)


def test_the_sla_clock_pauses_while_the_customer_is_awaited_and_stops_at_resolve() -> None:
    """Due 4 h after the opening; the hours between answer and follow-up do not count."""
    desk = Desk()
    first = desk.say(MILD)
    assert desk.alert.due_at == NOW + timedelta(hours=4)
    desk.wait(hours=1)
    reply = desk.answer(first)
    assert desk.alert.due_at is None
    desk.wait(hours=10)
    follow = desk.say(calm(), parent=reply)
    assert desk.alert.due_at == desk.now + timedelta(hours=3)
    desk.answer(follow)
    desk.say(thankful(), parent=first, text="cheers")
    assert (desk.alert.state, desk.alert.due_at) == ("resolved", None)


def test_a_complaint_that_nobody_answers_becomes_an_alert_by_waiting() -> None:
    """Where answers are seen; an answer stops it, and the wait shows in the reasons."""
    low = labels(severity=1)
    desk = Desk()
    desk.say(low, channel="support")
    desk.wait(hours=20)
    assert desk.published == []
    desk.wait(hours=2)
    (pending, opened) = desk.published
    assert (pending.state, opened.state, opened.priority) == ("pending", "open", "P3")
    assert opened.reasons[0].code == "sla"
    assert sum(r.contribution for r in opened.reasons) == pytest.approx(opened.score, abs=0.001)
    answered = Desk()
    first = answered.say(low, channel="support")
    answered.answer(first)
    answered.wait(days=3)
    assert answered.published == []
    unseen = Desk()
    unseen.say(low, channel="public")
    unseen.wait(days=3)
    assert unseen.published == []


def test_an_answer_that_comes_late_leaves_the_wait_of_what_was_said_after_it() -> None:
    """In whichever order the two come, the complaint becomes the same alert at the same time."""
    low = labels(severity=1)
    late, early = Desk(), Desk()
    first = [desk.say(low, channel="support") for desk in (late, early)][0]
    answered = NOW + timedelta(minutes=30)
    early.wait(minutes=30)
    early.answer(first, at=answered)
    early.wait(minutes=30)
    late.wait(minutes=60)
    early.say(low, channel="support", parent=first)
    late._number += 1
    late.say(low, channel="support", parent=first)
    late._number = 1
    late.answer(first, at=answered)
    for desk in (late, early):
        desk.wait(days=2)
    assert [a.opened_at for a in late.published] == [a.opened_at for a in early.published]
    assert len(early.published) > 1


def routed(*steps: RouteStep, **schedules: Schedule) -> EscalationPolicy:
    return EscalationPolicy(routes=(Route(name="all", steps=steps),), schedules=schedules)


def test_nobody_acknowledges_so_the_route_is_climbed_to_its_end() -> None:
    """Each step tells its own receivers; the last one is where it ends."""
    desk = Desk(
        routed(
            RouteStep(tell=("desk",), wait_minutes=10),
            RouteStep(tell=("lead",), wait_minutes=20),
            RouteStep(tell=("head", "desk")),
        )
    )
    desk.say(WORST)
    desk.wait(hours=3)
    assert [(a.step, a.receivers) for a in desk.notices] == [
        (0, ("desk",)),
        (1, ("lead",)),
        (2, ("head", "desk")),
    ]


def test_an_acknowledgement_ends_the_climb() -> None:
    desk = Desk(routed(RouteStep(tell=("desk",), wait_minutes=10), RouteStep(tell=("lead",))))
    first = desk.say(WORST)
    desk.wait(minutes=9)
    desk.answer(first)
    desk.wait(hours=9)
    assert [a.receivers for a in desk.notices if a.state == "open"] == [("desk",)]


def test_a_step_without_a_wait_of_its_own_waits_for_the_sla() -> None:
    """P1: 15 minutes, whatever the hour."""
    desk = Desk(routed(RouteStep(tell=("desk",)), RouteStep(tell=("lead",))))
    desk.say(WORST)
    desk.wait(minutes=14)
    assert len(desk.notices) == 1
    desk.wait(minutes=1)
    assert desk.alert.receivers == ("lead",)


def test_the_first_route_that_fits_takes_the_alert() -> None:
    legal = Route(name="legal", match=Match(priority=("P1",)), steps=(RouteStep(tell=("law",)),))
    vip = Route(name="vip", match=Match(segment=("gold",)), steps=(RouteStep(tell=("vip",)),))
    rest = Route(name="rest", steps=(RouteStep(tell=("desk",)),))
    for judged, expected in ((WORST, "law"), (MILD, "desk")):
        desk = Desk(EscalationPolicy(routes=(legal, vip, rest)))
        desk.say(judged)
        desk.wait(seconds=30)
        assert desk.alert.receivers == (expected,)


def test_who_is_on_duty_by_local_time_with_overrides() -> None:
    """Turns of a week from Monday nine o'clock in New York; somebody swaps one night."""
    night = Override(
        start=datetime(2026, 1, 14, tzinfo=UTC), end=datetime(2026, 1, 15, tzinfo=UTC), tell="eve"
    )
    duty = Schedule(
        rotation=("ann", "bob"),
        timezone="America/New_York",
        starts=date(2026, 1, 5),
        overrides=(night,),
    )
    assert duty.on_duty(datetime(2026, 1, 5, 13, 59, tzinfo=UTC)) == "bob"
    assert duty.on_duty(datetime(2026, 1, 5, 14, 0, tzinfo=UTC)) == "ann"
    assert duty.on_duty(datetime(2026, 1, 12, 13, 59, tzinfo=UTC)) == "ann"
    assert duty.on_duty(datetime(2026, 1, 12, 14, 0, tzinfo=UTC)) == "bob"
    assert duty.on_duty(datetime(2026, 1, 14, 3, tzinfo=UTC)) == "eve"
    desk = Desk(routed(RouteStep(tell=("on-call:first", "log")), first=duty))
    desk.now = datetime(2026, 1, 14, 3, tzinfo=UTC)
    desk.say(WORST)
    assert desk.alert.receivers == ("eve", "log")


def test_a_follow_up_may_come_before_the_answer_that_it_follows() -> None:
    """The customer's thanks wait for the brand's answer, which goes another way."""
    desk = Desk()
    first = desk.say(MILD)
    desk.wait(minutes=1)
    desk.say(thankful(), parent="x:3", text="thanks so much!")
    before = desk.alert.state
    desk.answer(first)
    assert (before, desk.alert.state) == ("open", "resolved")


def test_an_answer_that_comes_late_does_not_stop_the_clock_of_what_was_said_after_it() -> None:
    desk = Desk()
    first = desk.say(MILD)
    answered = desk.now + timedelta(minutes=5)
    desk.wait(minutes=10)
    desk.say(MILD)
    desk.answer(first, at=answered)
    assert desk.state.threads()[0].waiting_since == desk.now


@pytest.mark.parametrize(
    ("text", "judged"),
    [
        ("thanks for nothing", labels()),
        ("thanks, but when?", thankful()),
        ("no thanks", thankful()),
        ("great", thankful()),
        ("Thank you", msgspec.structs.replace(thankful(), flags={"sarcasm": 0.9})),
    ],
)
def test_not_every_word_of_thanks_closes_a_thread(text: str, judged: object) -> None:
    desk = Desk()
    first = desk.say(MILD)
    desk.say(judged, text=text, parent=first)  # type: ignore[arg-type]  # labels
    assert desk.alert.state != "resolved"


def test_somebody_who_wants_to_buy_is_an_opportunity_unless_they_complain() -> None:
    """Routed by its kind; a complaint that opens ends it."""
    sales = Route(
        name="sales", match=Match(kind=("opportunity",)), steps=(RouteStep(tell=("sales",)),)
    )
    desk = Desk(EscalationPolicy(routes=(sales,)))
    wants = calm(purchase=0.9)
    desk.say(wants, link=Link(customer_id="c1", tier="T2", probability=0.95))
    desk.wait(seconds=30)
    assert (desk.alert.kind, desk.alert.receivers) == ("opportunity", ("sales",))
    assert [r.code for r in desk.alert.reasons] == ["purchase"]
    desk.say(MILD)
    ended = [a for a in desk.published if a.kind == "opportunity"][-1]
    assert ended.state == "resolved"
    angry = Desk()
    angry.say(MILD)
    angry.say(wants, link=Link(customer_id="c1", tier="T2", probability=0.95))
    assert {a.kind for a in angry.published} == {"trouble"}
    stranger = Desk()
    stranger.say(wants)
    assert stranger.published == []


def test_an_unmet_need_of_a_customer_is_an_opportunity() -> None:
    desk = Desk()
    needs = labels(negative=0.1, complaint=0.1, severity=0, issue="feature", request=0.95)
    desk.say(needs, link=Link(customer_id="c1", tier="T0", probability=1.0))
    assert [r.code for r in desk.alert.reasons] == ["need"]


def hit(number: int, minute: float) -> GroupHit:
    at = NOW + timedelta(minutes=minute)
    return GroupHit(
        subject="group:g",
        group_key="g",
        brand="Acme",
        issue="billing",
        customer=f"x:{number}",
        mention_id=f"x:m{number}",
        model=MODEL,
        at=at,
        observed_at=at,
    )


def test_an_issue_that_hits_many_customers_raises_one_alert_of_the_group() -> None:
    """Five distinct customers within the hour; the same one five times is one."""
    policy = EscalationPolicy(andon=Andon(customers=5))
    state = SubjectState()

    def strikes(number: int, minute: float) -> list[str]:
        there = Given(policy=policy, now=NOW + timedelta(minutes=minute))
        due = tick(state, there).alerts
        return [a.state for a in [*due, *strike(hit(number, minute), state, there).alerts]]

    assert [strikes(1, n) for n in range(5)] == [[]] * 5
    assert [strikes(n, n) for n in range(2, 5)] == [[]] * 3
    assert strikes(5, 70) == []
    assert [strikes(n, 71 + n) for n in range(6, 9)] == [[]] * 3
    assert strikes(9, 81) == ["pending"]
    assert strikes(10, 82) == ["open", "open"]
    assert len({a.alert_id for a in [state.threads()[0].alert] if a}) == 1


def test_linking_by_hand_moves_the_threads_and_unlinking_is_the_exact_inverse() -> None:
    """Both subjects are as they were, but for what was said meanwhile and the versions."""
    desk = Desk()
    desk.say(ANGRY)
    desk.wait(seconds=30)
    before = desk.alert
    desk.act("link", customer_id="c1")
    (moved,), (link,) = desk.changes.moved, desk.changes.links
    assert desk.state.threads() == []
    assert (link.author, link.customer_id, link.linked) == ("x:ann", "c1", True)
    author, customer = desk.state, SubjectState()
    (linked_,) = arrive(moved, customer).alerts
    assert (linked_.subject, linked_.link.customer_id) == ("customer:c1", "c1")
    assert linked_.notice_id == before.notice_id
    desk.state = customer
    desk.say(MILD, author=Author(id="ann", handle="ann"))
    assert desk.alert.alert_id == before.alert_id
    grown = desk.alert
    desk.act("unlink", customer_id="c1", subject="customer:c1")
    (moved,), (link,) = desk.changes.moved, desk.changes.links
    assert not link.linked
    assert customer == SubjectState()
    (home,) = arrive(moved, author).alerts
    assert (home.subject, home.link) == (before.subject, before.link)
    assert home.evidence == grown.evidence
    assert author.moved_to == ""
    assert author.threads()[0].due.keys() == {"repeat", "expire"}


def test_a_deleted_message_takes_its_text_and_what_remains_speaks_on() -> None:
    """Two messages, one deleted: the alert stands on the other."""
    desk = Desk()
    first = desk.say(MILD, text="secret")
    desk.wait(seconds=30)
    second = desk.say(MILD)
    desk.delete(first)
    assert (desk.alert.snippet, desk.alert.evidence) == (None, (second,))
    desk.act("resolve")
    assert desk.told() == ["open P3", "resolved P3"]


def test_what_stands_on_nothing_is_told_to_nobody_until_the_customer_writes_again() -> None:
    desk = Desk()
    first = desk.say(MILD)
    desk.wait(seconds=30)
    desk.delete(first)
    desk.wait(hours=9)
    assert desk.told() == ["open P3"]
    desk.say(WORST, text="anew")
    assert desk.told() == ["open P3", "open P1"]
    assert desk.alert.snippet == "anew"


def test_an_edited_message_is_shown_as_it_is_now() -> None:
    desk = Desk()
    desk.say(MILD, text="old words")
    record = linked(1, judged=MILD, text="new words", op="update")
    (alert,) = hear(record, desk.state, desk.given).alerts
    assert alert.snippet == "new words"
