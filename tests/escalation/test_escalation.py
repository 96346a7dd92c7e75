from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.errors import InvalidMessage
from listener.escalation import EscalationPolicy, Given, SubjectState, act, hear, score, tick
from listener.escalation.score import Facts
from listener.policy import parse_policy
from listener.records import Action, Alert, Labels, Link, Linked, Standing
from tests.worlds import NOW, labels, linked

POLICY = EscalationPolicy()


def escalate(
    message: Linked, state: SubjectState, policy: EscalationPolicy, *, now: datetime
) -> list[Alert]:
    """What is due first, then the message."""
    given = Given(policy=policy, now=now)
    return [*tick(state, given).alerts, *hear(message, state, given).alerts]


shares = st.floats(0, 1)
facts = st.builds(
    Facts,
    unsolved=st.integers(0, 5),
    waiting_minutes=st.floats(0, 5000),
    relapsed=st.booleans(),
)


def angry(number: int = 1, **changes: Any) -> Any:
    return linked(number, judged=labels(severity=4, churn=0.95, repeat=0.9), **changes)


def flagged(flag: str) -> Labels:
    plain = labels(severity=0)
    return msgspec.structs.replace(plain, flags=plain.flags | {flag: 0.9})


def resolve(alert: Alert, action: str = "1") -> Action:
    return Action(
        action_id=action,
        alert_id=alert.alert_id,
        subject="x:ann",
        kind="resolve",
        actor="me",
        at=NOW,
    )


@given(churn=shares, repeat=shares, severity=st.integers(0, 4), state=facts)
def test_contributions_sum_to_the_score(
    churn: float, repeat: float, severity: int, state: Facts
) -> None:
    """Each reason's share can be shown, and nothing is left over."""
    message = linked(judged=labels(severity=severity, churn=churn, repeat=repeat))
    found = score(message, state, POLICY)
    assert abs(sum(r.contribution for r in found.reasons) - found.value) < 0.001


@given(churn=shares, severity=st.integers(0, 3), state=facts)
def test_more_severity_never_lowers_the_score(churn: float, severity: int, state: Facts) -> None:
    """The score rises with each input."""
    low = score(linked(judged=labels(severity=severity, churn=churn)), state, POLICY)
    high = score(linked(judged=labels(severity=severity + 1, churn=churn)), state, POLICY)
    assert high.value >= low.value


def test_each_hard_rule_alone_is_p1() -> None:
    """Safety, legal and privacy need no score."""
    for flag in ("safety", "legal", "privacy"):
        found = score(linked(judged=flagged(flag)), Facts(), POLICY)
        assert found.priority == "P1"
        assert found.reasons[0].code == flag
        assert found.reasons[0].because == f"{flag} 0.90, complaint 0.90"


def test_a_joke_and_praise_with_a_flag_are_no_p1() -> None:
    """Who neither complains nor asks, or is glad, has no trouble: the flag then only scores."""
    joke = labels(negative=0.4, complaint=0.1, severity=0, legal=0.95)
    assert score(linked(judged=joke), Facts(), POLICY).priority is None
    glad = msgspec.structs.replace(
        labels(complaint=0.4, privacy=0.95), sentiment={"pos": 0.6, "neu": 0.2, "neg": 0.2}
    )
    assert score(linked(judged=glad), Facts(), POLICY).priority is None


def test_a_call_for_help_needs_no_complaint() -> None:
    """ "Somebody is in my account, what do I do?" """
    asks = labels(negative=0.4, complaint=0.1, severity=0, privacy=0.95, request=0.9)
    found = score(linked(judged=asks), Facts(), POLICY)
    assert (found.priority, found.reasons[0].because) == ("P1", "privacy 0.95, request 0.90")


def test_a_policy_may_ask_for_the_flag_alone_or_for_more() -> None:
    """A number is the flag's probability; the rest of the rule is as it is built in."""
    text = """
escalation:
  hard_rules:
    legal: {complaint: 0, positive: 1.1}
    safety: 0.9
"""
    policy = parse_policy(text, where="p.yaml").escalation
    joke = labels(negative=0.1, complaint=0.0, severity=0, legal=0.7)
    assert score(linked(judged=joke), Facts(), policy).priority == "P1"
    assert score(linked(judged=labels(safety=0.8)), Facts(), policy).priority != "P1"
    assert score(linked(judged=labels(privacy=0.99)), Facts(), policy).priority != "P1"


def test_an_unsure_label_never_raises_an_alert_alone() -> None:
    """Neither a hard rule nor a complaint that the model is unsure of wakes anybody."""
    assert (
        escalate(
            linked(judged=labels(legal=0.64), unsure=("legal",)), SubjectState(), POLICY, now=NOW
        )
        == []
    )
    assert escalate(angry(unsure=("complaint", "churn")), SubjectState(), POLICY, now=NOW) == []


def test_talk_about_a_rival_or_about_nothing_wakes_nobody() -> None:
    """Public posts need a brand that is ours."""
    policy = EscalationPolicy(rivals=("Acme",))
    assert escalate(angry(), SubjectState(), policy, now=NOW) == []
    assert escalate(angry(brands=()), SubjectState(), POLICY, now=NOW) == []


def test_value_counts_for_exact_links_only() -> None:
    """A probabilistic link never changes a priority by customer value."""
    standing = Standing(segment="s", since=NOW, value_percentile=1.0)
    exact = linked(link=Link(customer_id="c", tier="T2", probability=0.95), standing=standing)
    guess = linked(link=Link(customer_id="c", tier="T3", probability=0.99), standing=standing)
    codes = [{r.code for r in score(m, Facts(), POLICY).reasons} for m in (exact, guess)]
    assert "value" in codes[0]
    assert "value" not in codes[1]


def test_the_same_subject_and_issue_is_one_alert_that_grows() -> None:
    """Grouping by dedup key: more evidence, a higher version, the same id."""
    state = SubjectState()
    (first,) = escalate(angry(1), state, POLICY, now=NOW)
    later = NOW + timedelta(hours=1)
    opened, second = escalate(angry(2, at=later), state, POLICY, now=later)[:2]
    assert second.alert_id == opened.alert_id == first.alert_id
    assert [first.version, opened.version, second.version] == [1, 2, 3]
    assert (first.state, opened.state) == ("pending", "open")
    assert second.evidence == ("x:1", "x:2")
    assert second.notice_id == opened.notice_id


def test_the_same_message_twice_changes_nothing() -> None:
    """Readers see each id once."""
    state = SubjectState()
    escalate(angry(1), state, POLICY, now=NOW)
    assert escalate(angry(1), state, POLICY, now=NOW) == []


def test_a_resolved_alert_is_resolved_once_and_may_reopen() -> None:
    """Exactly one resolved notice; the same trouble within seven days reopens it, with what was."""
    state = SubjectState()
    (alert,) = escalate(angry(1), state, POLICY, now=NOW)
    (solved,) = act(resolve(alert), state, Given(policy=POLICY, now=NOW)).alerts
    assert solved.state == "resolved"
    with pytest.raises(InvalidMessage, match="the alert is resolved"):
        act(resolve(alert, action="2"), state, Given(policy=POLICY, now=NOW))
    later = NOW + timedelta(days=2)
    (pending,) = escalate(angry(2, at=later), state, POLICY, now=later)
    again = tick(state, Given(policy=POLICY, now=later + timedelta(seconds=30))).alerts[-1]
    assert (pending.state, again.state, again.cycle) == ("pending", "reopened", 2)
    assert "relapse" in {reason.code for reason in again.reasons}
    assert again.evidence == ("x:1", "x:2")


def test_quiet_threads_are_dropped() -> None:
    """State is bounded: after 30 days of silence a thread is gone."""
    state = SubjectState()
    escalate(angry(1), state, POLICY, now=NOW)
    later = NOW + timedelta(days=31)
    calm = labels(complaint=0.0, issue="feature")
    escalate(linked(2, judged=calm, at=later), state, POLICY, now=later)
    assert state.threads() == []


def test_state_survives_its_encoding() -> None:
    """What is restored after a kill is what was there."""
    state = SubjectState()
    escalate(angry(1), state, POLICY, now=NOW)
    again = msgspec.json.decode(msgspec.json.encode(state), type=SubjectState)
    assert again == state
