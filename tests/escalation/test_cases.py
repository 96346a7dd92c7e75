"""State × event → state, notices: the life cycle as a table."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from listener.errors import InvalidMessage
from listener.escalation import EscalationPolicy
from listener.escalation.policy import Silence
from listener.escalation.routes import Match
from tests.escalation.desk import ANGRY, LOUD, MILD, WORST, Desk, calm, thankful
from tests.worlds import NOW

Event = Callable[[Desk], object]


def complains(desk: Desk) -> None:
    desk.say(MILD, parent="x:1")


def rages(desk: Desk) -> None:
    desk.say(ANGRY, parent="x:1", author=LOUD)


def threatens(desk: Desk) -> None:
    desk.say(WORST, parent="x:1")


def thanks(desk: Desk) -> None:
    desk.say(thankful(), parent="x:1", text="Thanks, all good now")


def chats(desk: Desk) -> None:
    desk.say(calm(), parent="x:1")


def answered(desk: Desk) -> None:
    desk.answer("x:1")


def half_minute(desk: Desk) -> None:
    desk.wait(seconds=30)


def five_minutes(desk: Desk) -> None:
    desk.wait(minutes=5)


def four_hours(desk: Desk) -> None:
    desk.wait(hours=4)


def a_month(desk: Desk) -> None:
    desk.wait(days=31)


def does(kind: str) -> Event:
    def action(desk: Desk) -> None:
        desk.act(kind, until=desk.now + timedelta(hours=1), assignee="you")

    action.__name__ = kind
    return action


def deleted(desk: Desk) -> None:
    desk.delete("x:1")


def none(desk: Desk) -> Desk:
    return desk


def pending() -> Desk:
    desk = Desk()
    desk.say(MILD)
    return desk


def opened() -> Desk:
    desk = pending()
    desk.wait(seconds=30)
    return desk


def acknowledged() -> Desk:
    desk = opened()
    desk.act("acknowledge")
    return desk


def suppressed() -> Desk:
    desk = pending()
    desk.act("silence", until=desk.now + timedelta(hours=1))
    return desk


def resolved() -> Desk:
    desk = opened()
    desk.act("resolve")
    return desk


def reopened() -> Desk:
    desk = resolved()
    desk.wait(hours=1)
    desk.say(ANGRY)
    desk.wait(seconds=30)
    return desk


CASES = [
    # from, event, to, what is told because of it
    (Desk, lambda d: d.say(MILD), "pending", []),
    (Desk, lambda d: d.say(WORST), "open", ["open P1"]),
    (pending, half_minute, "open", ["open P3"]),
    (pending, complains, "pending", []),
    (pending, threatens, "open", ["open P1"]),
    (pending, thanks, "resolved", []),
    (pending, answered, "acknowledged", []),
    (pending, does("acknowledge"), "acknowledged", []),
    (pending, does("resolve"), "resolved", []),
    (pending, does("wrong"), "resolved", []),
    (pending, does("silence"), "suppressed", []),
    (pending, does("assign"), "pending", []),
    (pending, deleted, "pending", []),
    (opened, half_minute, "open", []),
    (opened, four_hours, "open", ["open P3"]),
    (opened, complains, "open", []),
    (opened, rages, "open", []),
    (opened, threatens, "open", ["open P1"]),
    (opened, chats, "open", []),
    (opened, thanks, "resolved", ["resolved P3"]),
    (opened, answered, "acknowledged", ["acknowledged P3"]),
    (opened, does("acknowledge"), "acknowledged", ["acknowledged P3"]),
    (opened, does("resolve"), "resolved", ["resolved P3"]),
    (opened, does("wrong"), "resolved", ["resolved P3"]),
    (opened, does("silence"), "suppressed", []),
    (opened, does("assign"), "open", []),
    (opened, deleted, "open", []),
    (opened, a_month, "expired", ["open P3"]),
    (acknowledged, four_hours, "acknowledged", []),
    (acknowledged, complains, "acknowledged", []),
    (acknowledged, threatens, "open", ["open P1"]),
    (acknowledged, thanks, "resolved", ["resolved P3"]),
    (acknowledged, answered, "acknowledged", []),
    (acknowledged, does("resolve"), "resolved", ["resolved P3"]),
    (acknowledged, does("wrong"), "resolved", ["resolved P3"]),
    (acknowledged, does("silence"), "suppressed", []),
    (acknowledged, a_month, "expired", []),
    (suppressed, half_minute, "suppressed", []),
    (suppressed, four_hours, "open", ["open P3"]),
    (suppressed, complains, "suppressed", []),
    (suppressed, threatens, "open", ["open P1"]),
    (suppressed, thanks, "resolved", []),
    (suppressed, answered, "acknowledged", []),
    (suppressed, does("acknowledge"), "acknowledged", []),
    (suppressed, does("resolve"), "resolved", []),
    (resolved, four_hours, "resolved", []),
    (resolved, lambda d: d.say(ANGRY), "pending", []),
    (resolved, threatens, "reopened", ["reopened P1"]),
    (resolved, thanks, "resolved", []),
    (resolved, answered, "resolved", []),
    (resolved, deleted, "resolved", []),
    (reopened, does("acknowledge"), "acknowledged", ["acknowledged"]),
    (reopened, does("resolve"), "resolved", ["resolved"]),
    (reopened, a_month, "expired", ["reopened"]),
]


@pytest.mark.parametrize(("start", "event", "state", "told"), CASES)
def test_state_and_event_give_state_and_notices(
    start: Callable[[], Desk], event: Event, state: str, told: list[str]
) -> None:
    """One row a case; an alert that was never told is ended in silence."""
    desk = start()
    before = len(desk.notices)
    event(desk)
    assert desk.alert.state == state
    found = desk.told()[before:]
    assert len(found) == len(told)
    assert all(one.startswith(wanted) for one, wanted in zip(found, told, strict=True))


@pytest.mark.parametrize(
    ("start", "kind", "changes", "field"),
    [
        (pending, "acknowledge", {"alert_id": "nobody's"}, "$.alert_id"),
        (resolved, "resolve", {}, "$.kind"),
        (resolved, "wrong", {}, "$.kind"),
        (resolved, "acknowledge", {}, "$.kind"),
        (acknowledged, "acknowledge", {}, "$.kind"),
        (pending, "assign", {}, "$.assignee"),
        (pending, "silence", {}, "$.until"),
        (pending, "silence", {"until": NOW - timedelta(hours=1)}, "$.until"),
        (pending, "link", {}, "$.customer_id"),
        (pending, "unlink", {"customer_id": "c1"}, "$.customer_id"),
    ],
)
def test_an_action_that_makes_no_sense_is_refused_and_changes_nothing(
    start: Callable[[], Desk], kind: str, changes: dict[str, object], field: str
) -> None:
    """Unknown alert, wrong state, missing field: the reason names the field."""
    desk = start()
    before = desk.alert
    with pytest.raises(InvalidMessage) as refused:
        desk.act(kind, **changes)
    assert refused.value.field == field
    assert desk.state.threads()[0].alert == before


def test_the_same_action_twice_acts_once() -> None:
    """A producer that tries again is no news."""
    desk = opened()
    desk.act("acknowledge", action_id="same")
    desk.act("acknowledge", action_id="same")
    assert desk.told() == ["open P3", "acknowledged P3"]


def test_a_raise_waits_for_the_group_interval() -> None:
    """At most one changed notice in it; only a P1 does not wait."""
    desk = opened()
    rages(desk)
    assert desk.told() == ["open P3"]
    desk.wait(minutes=4)
    assert desk.told() == ["open P3"]
    desk.wait(minutes=1)
    assert desk.told() == ["open P3", "open P2"]
    threatens(desk)
    assert desk.told()[-1] == "open P1"


def test_an_open_alert_is_said_again_every_repeat_interval_without_a_storm() -> None:
    """Three intervals looked at often give three notices; at once, after a pause, one."""
    often, once = opened(), opened()
    often.wait(hours=13, looks=1000)
    once.wait(hours=13)
    assert often.told() == ["open P3"] * 4
    assert once.told() == ["open P3"] * 2
    assert often.alert == once.alert
    assert once.alert.repeat == 3


def test_an_open_incident_inhibits_p3_of_its_issue_and_never_p1() -> None:
    """The incident says it already; when it is over the alert opens after all."""
    desk = Desk()
    desk.incidents = frozenset({("Acme", "billing")})
    desk.say(MILD)
    desk.wait(seconds=30)
    assert desk.alert.state == "suppressed"
    desk.wait(hours=1, looks=100)
    assert desk.told() == []
    desk.incidents = frozenset()
    desk.wait(minutes=5)
    assert desk.told() == ["open P3"]
    worst = Desk()
    worst.incidents = frozenset({("Acme", "billing")})
    worst.say(WORST)
    assert worst.told() == ["open P1"]
    other = Desk()
    other.incidents = frozenset({("Acme", "outage")})
    other.say(MILD)
    other.wait(seconds=30)
    assert other.told() == ["open P3"]


def test_a_silence_of_the_policy_has_matchers_an_end_a_reason_and_an_author() -> None:
    """What fits is suppressed until its end."""
    silence = Silence(
        match=Match(issue=("billing",), priority=("P3",)),
        until=NOW + timedelta(hours=2),
        reason="known fault",
        author="me",
    )
    desk = Desk(EscalationPolicy(silences=(silence,)))
    desk.say(MILD)
    desk.wait(minutes=10)
    assert (desk.alert.state, desk.told()) == ("suppressed", [])
    desk.wait(hours=2)
    assert desk.told() == ["open P3"]


def test_the_version_of_an_alert_only_rises() -> None:
    """Even when its thread was dropped for being quiet: readers drop what is older."""
    desk = opened()
    desk.wait(days=31)
    assert desk.state.threads() == []
    expired = desk.alert
    desk.say(WORST)
    assert desk.alert.version > expired.version
    assert desk.alert.cycle == expired.cycle + 1
