"""What a policy may not say, and how it is told."""

import pytest

from listener.errors import PolicyError
from listener.policy import parse_policy


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("escalation: {hours: {timezone: Mars/Olympus}}", "no time zone 'Mars/Olympus'"),
        ("escalation: {hours: {opens: '18:00', closes: '09:00'}}", "must lie before"),
        ("escalation: {hours: {country: XX}}", "country XX"),
        ("escalation: {hours: {opens: nine}}", "no time of day 'nine'"),
        ("escalation: {routes: [{name: r, steps: []}]}", "give 1 to 5"),
        ("escalation: {routes: [{name: r, steps: [{tell: ['on-call:x']}]}]}", "no such schedule"),
        ("escalation: {schedules: {s: {rotation: []}}}", "needs a rotation"),
        (
            "escalation: {silences: [{match: {}, until: '2026-01-01', reason: r, author: a}]}",
            "Invalid RFC3339",
        ),
    ],
)
def test_an_impossible_escalation_is_refused_with_its_key(text: str, reason: str) -> None:
    with pytest.raises(PolicyError, match=reason) as refused:
        parse_policy(text, where="policy.yaml")
    assert "policy.yaml" in str(refused.value)


def test_a_whole_escalation_policy_is_read() -> None:
    """The example of docs/escalation.md, in short."""
    policy = parse_policy(
        """
        escalation:
          hours: {timezone: Europe/Berlin, country: DE, holidays: [2026-12-24]}
          schedules:
            first: {rotation: [ann, bob], timezone: Europe/Berlin, handover: "08:00"}
          routes:
            - name: legal
              match: {priority: [P1]}
              steps: [{tell: ["on-call:first"], wait_minutes: 10}, {tell: [head, webhook]}]
          silences:
            - {match: {issue: [outage]}, until: 2026-06-01T00:00:00Z, reason: works, author: me}
        receivers:
          ann: {sink: file, path: ann.jsonl}
          bob: {sink: file, path: bob.jsonl}
          head: {sink: file, path: head.jsonl}
        """,
        where="policy.yaml",
    )
    assert policy.escalation.receivers() == {"ann", "bob", "head", "webhook"}


def test_a_route_to_nobody_is_refused() -> None:
    routes = "escalation: {routes: [{name: r, steps: [{tell: [carl]}]}]}"
    with pytest.raises(PolicyError, match="carl: no such receiver; add it to `receivers`"):
        parse_policy(routes, where="policy.yaml")
