"""Timers: whoever moves them how often, each goes off once, in order, and the index stays small."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents.timetable import SLACK, Timetable

START = datetime(2026, 5, 1, tzinfo=UTC)
MINUTES = st.integers(0, 60)


def timetable() -> Timetable[datetime | None]:
    ledger: Any = None  # only read after a start
    return Timetable(ledger, due=lambda due: due)


def at(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("note"), st.sampled_from("abcdef"), st.none() | MINUTES),
            st.tuples(st.just("take"), MINUTES, st.integers(1, 4)),
        ),
        max_size=80,
    )
)
def test_each_timer_goes_off_once_and_the_earliest_first(steps: list[Any]) -> None:
    """As a plain dictionary of due times would have it."""
    index, due = timetable(), dict[str, datetime]()
    for kind, one, two in steps:
        if kind == "note":
            index.note(one, None if two is None else at(two))
            due.pop(one, None)
            if two is not None:
                due[one] = at(two)
        else:
            found = index.take(at(one), most=two)
            come = sorted((d, key) for key, d in due.items() if d <= at(one))[:two]
            assert [due[key] for key in found] == [d for d, _ in come]
            for key in found:
                del due[key]
        assert index.next() == min(due.values(), default=None)
        assert sorted(index.keys()) == sorted(due)


def test_a_timer_that_moves_with_each_message_leaves_nothing_behind() -> None:
    """A busy customer's clock moves a thousand times before it goes off."""
    index = timetable()
    for n in range(20 * SLACK):
        index.note("busy", START + timedelta(seconds=n))
    assert len(index._heap) <= SLACK + 3
    assert index.take(at(60 * 24 * 30), most=10) == ["busy"]
