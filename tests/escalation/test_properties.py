"""Whatever happens, in whatever order, nobody is told twice, too late or not at all."""

from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from listener.errors import InvalidMessage
from listener.escalation import EscalationPolicy
from listener.escalation.routes import Route, RouteStep
from listener.records import Alert
from tests.escalation.desk import ANGRY, LOUD, MILD, WORST, Desk, calm, thankful

STEPS = tuple(RouteStep(tell=(f"r{n}",), wait_minutes=20) for n in range(5))
ROUTED = EscalationPolicy(routes=(Route(name="all", steps=STEPS),))
INCIDENT = frozenset({("Acme", "billing")})

events = st.one_of(
    st.sampled_from(["mild", "angry", "loud", "worst", "calm", "thanks", "answer", "delete"]),
    st.sampled_from(["acknowledge", "resolve", "wrong", "assign", "silence", "restart"]),
    st.sampled_from(["incident", "all clear"]),
    st.tuples(
        st.sampled_from([1, 29, 31, 299, 1000, 3600, 5 * 3600, 86_400, 8 * 86_400, 31 * 86_400]),
        st.integers(1, 5),
    ),
)


def happens(event: Any, desk: Desk, said: list[str]) -> None:
    if isinstance(event, tuple):
        desk.wait(seconds=event[0], looks=event[1])
    elif event in ("mild", "angry", "worst"):
        judged = {"mild": MILD, "angry": ANGRY, "worst": WORST}[event]
        said.append(desk.say(judged, parent=said[-1] if said else None))
    elif event == "loud":
        said.append(desk.say(ANGRY, author=LOUD))
    elif event == "calm":
        said.append(desk.say(calm(), parent=said[-1] if said else None))
    elif event == "thanks":
        said.append(desk.say(thankful(), text="thank you", parent=said[-1] if said else None))
    elif event == "answer" and said:
        said.append(desk.answer(said[-1]))
    elif event == "delete" and said:
        desk.delete(said[-1])
    elif event == "restart":
        desk.restart()
    elif event in ("incident", "all clear"):
        desk.incidents = INCIDENT if event == "incident" else frozenset()
    elif event in ("acknowledge", "resolve", "wrong", "assign", "silence"):
        with suppress(InvalidMessage):
            desk.act(event, until=desk.now + timedelta(hours=2), assignee="you")


def rings(alert: Alert) -> bool:
    return alert.state in ("open", "reopened")


@settings(deadline=None)
@given(st.lists(events, max_size=30), st.booleans())
def test_no_notice_is_doubled_late_or_lost(happenings: list[Any], routed: bool) -> None:
    """One open notice a cycle unless something rose; nothing after resolve; every P1 told."""
    desk = Desk(ROUTED if routed else None)
    said: list[str] = []
    for event in happenings:
        happens(event, desk, said)
        if event == "worst":
            cycle = desk.alert.cycle
            assert desk.alert.priority == "P1"
            assert any(a.priority == "P1" for a in desk.notices if a.cycle == cycle)
    by_cycle: dict[tuple[str, int], list[Alert]] = defaultdict(list)
    for notice in desk.notices:
        by_cycle[notice.alert_id, notice.cycle].append(notice)
    for notices in by_cycle.values():
        opened = [(a.priority, a.step, a.repeat) for a in notices if rings(a)]
        assert len(opened) == len(set(opened)), "the same was said twice"
        ended = [n for n, a in enumerate(notices) if a.state == "resolved"]
        assert ended in ([], [len(notices) - 1]), "a notice after resolve"
        assert not ended or opened, "an end of what nobody had heard of"


@settings(deadline=None)
@given(st.lists(events, max_size=30))
def test_a_cycle_ends_before_the_next_and_versions_only_rise(happenings: list[Any]) -> None:
    """Two open alerts of one dedup key there never are."""
    desk = Desk()
    said: list[str] = []
    for event in happenings:
        happens(event, desk, said)
    for before, after in zip(desk.published, desk.published[1:], strict=False):
        assert after.version > before.version
        assert after.cycle == before.cycle or before.state in ("resolved", "expired")


@settings(deadline=None)
@given(st.lists(events, max_size=20), st.integers(1, 40))
def test_how_often_anybody_looks_changes_nothing(happenings: list[Any], looks: int) -> None:
    """A worker that was away does at last what it would have done in time; fewer notices, the same
    state. (An incident is no state of ours: who looks late does not see it.)"""
    often, seldom = Desk(ROUTED), Desk(ROUTED)
    for desk, times in ((often, looks), (seldom, 1)):
        said: list[str] = []
        for event in happenings:
            if event not in ("incident", "all clear"):
                happens((event[0], times) if isinstance(event, tuple) else event, desk, said)
    assert often.state == seldom.state
    assert len(seldom.notices) <= len(often.notices)


@settings(deadline=None)
@given(st.lists(events, max_size=20))
def test_what_is_deleted_is_in_no_alert_and_wakes_nobody(happenings: list[Any]) -> None:
    """Its text goes, its state stays, and time brings no notice."""
    desk = Desk()
    said: list[str] = []
    for event in happenings:
        happens(event, desk, said)
    desk.delete(None)
    before = len(desk.notices)
    desk.wait(days=20, looks=10)
    assert len(desk.notices) == before
    for thread in desk.state.threads():
        assert thread.alert is None or (thread.alert.snippet, thread.alert.evidence) == (None, ())
