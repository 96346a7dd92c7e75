"""An author is forgotten who was linked to a customer: what is theirs goes, all else stays."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from listener.escalation import (
    Changes,
    EscalationPolicy,
    Given,
    SubjectState,
    arrive,
    belong,
    hear,
    redact,
)
from listener.escalation.moves import depart
from listener.records import Alert, Author, Belongs, Gone, Linked
from tests.escalation.desk import WORST
from tests.worlds import NOW, labels, linked

CUSTOMER = "customer:c1"
GIVEN = Given(policy=EscalationPolicy(), now=NOW)
OUTAGE = labels(severity=4, issue="outage", legal=0.95)
ZOE, BOB = Author(id="zoe", handle="zoe"), Author(id="bob", handle="bob")
GONE = Gone(subject=CUSTOMER, author="x:zoe", at=NOW)


def says(
    state: SubjectState, number: int, author: Author, *, subject: str = CUSTOMER, **changes: Any
) -> Changes:
    text = f"secret of {author.id}"
    record = linked(number, text=text, author=author, **({"judged": WORST} | changes))
    return hear(msgspec.structs.replace(record, subject=subject), state, GIVEN)


def alerts(state: SubjectState) -> dict[str, Alert]:
    return {a.issue: a for t in state.threads() if (a := t.alert) is not None}


def test_one_of_two_authors_of_a_thread_is_forgotten() -> None:
    """Their message, its text and their name go; the alert stands on the other's."""
    state = SubjectState()
    says(state, 1, BOB)
    says(state, 2, ZOE)
    says(state, 3, BOB, judged=OUTAGE)
    changes = redact(GONE, state)
    (thread, other) = state.threads()
    assert thread.alert is not None
    assert (thread.alert.evidence, thread.alert.snippet) == (("x:1",), "secret of bob")
    assert not thread.alert.redacted
    assert other.heard == ["x:3"]
    assert b"zoe" not in msgspec.json.encode(state)
    assert [a.issue for a in changes.alerts] == ["billing"]


def test_an_alert_that_stood_on_them_alone_is_redacted_and_the_other_stays() -> None:
    """Its state is kept under nobody's name; nobody is told of it again."""
    state = SubjectState()
    says(state, 1, ZOE)
    says(state, 2, BOB, judged=OUTAGE)
    before = alerts(state)["outage"]
    redact(GONE, state)
    mine = alerts(state)["billing"]
    assert (mine.evidence, mine.snippet, mine.redacted, mine.quiet) == ((), None, True, True)
    assert mine.state == "open"
    assert alerts(state)["outage"] == before
    assert b"zoe" not in msgspec.json.encode(state)


def test_a_guest_is_forgotten_where_the_threads_have_moved_to() -> None:
    """The author's own state sends it on, and keeps nothing, not even where they went."""
    home, state = SubjectState(), SubjectState()
    says(home, 1, ZOE, subject="x:zoe")
    says(state, 2, BOB, judged=OUTAGE)
    moved = Changes()
    depart("x:zoe", home, moved, link=None, at=NOW, customer_id="c1")
    arrive(moved.moved[0], state)
    changes = redact(Gone(subject="x:zoe", at=NOW), home)
    assert changes.gone == [GONE]
    assert (home.moved_to, home.own.threads) == ("", {})
    redact(changes.gone[0], state)
    assert state.guests == {}
    assert alerts(state)["billing"].snippet is None
    assert alerts(state)["outage"].snippet == "secret of bob"


def test_an_author_learns_once_where_their_messages_are() -> None:
    """With each customer; to be forgotten is sent on there, and the customer tells anew after."""
    home, state = SubjectState(), SubjectState()
    (told,) = says(state, 1, ZOE).belongs
    assert says(state, 2, ZOE).belongs == []
    assert says(home, 3, ZOE, subject="x:zoe").belongs == []
    assert belong(told, home).gone == []
    assert GONE in redact(Gone(subject="x:zoe", at=NOW), home).gone
    redact(GONE, state)
    assert len(says(state, 4, ZOE).belongs) == 1


def test_who_is_forgotten_first_is_forgotten_where_they_turn_up() -> None:
    """A deletion that comes before what it deletes wins; what is written later is heard."""
    home = SubjectState()
    redact(Gone(subject="x:zoe", at=NOW), home)
    late = Belongs(subject="x:zoe", customer=CUSTOMER, at=NOW)
    assert belong(late, home).gone == [GONE]
    assert says(home, 1, ZOE, subject="x:zoe").alerts == []
    record: Linked = linked(2, judged=WORST, at=NOW.replace(hour=13))
    assert hear(record, home, GIVEN).alerts != []


def test_the_group_forgets_what_its_members_forget() -> None:
    """Evidence of an andon alert, and who was hit."""
    state = SubjectState()
    changes = says(state, 1, ZOE, subject="x:zoe")
    (hit,) = changes.hits
    (told,) = redact(Gone(subject="x:zoe", at=NOW), state).gone
    assert (told.subject, told.mention_id, told.author) == (hit.subject, "x:1", "x:zoe")
    group = SubjectState(hits={"x:zoe": NOW, "x:bob": NOW})
    redact(told, group)
    assert list(group.hits) == ["x:bob"]


SAID = st.lists(
    st.tuples(st.sampled_from([ZOE, BOB]), st.sampled_from([WORST, OUTAGE, labels()])), max_size=12
)


@given(SAID)
def test_nothing_of_the_author_is_left_and_all_of_the_others(said: list[Any]) -> None:
    """Whoever wrote what, in whichever order."""
    state, others = SubjectState(), SubjectState()
    for number, (author, judged) in enumerate(said):
        says(state, number, author, judged=judged)
        if author is BOB:
            says(others, number, author, judged=judged)
    redact(GONE, state)
    assert b"zoe" not in msgspec.json.encode(state)
    theirs = {i for t in others.threads() for i in t.heard}
    assert {i for t in state.threads() for i in t.heard} == theirs
