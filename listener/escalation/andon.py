"""Stop the line: an issue that hits many customers at once goes to whoever owns that issue.

The group is a subject of its own (`group:` and the group key), so that its alert lives, is
acknowledged, silenced and resolved like every other.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from listener.escalation.notices import begin
from listener.escalation.policy import Given
from listener.escalation.state import Changes, SubjectState, Thread, digest, remember
from listener.records import Alert, GroupHit, Reason

KEY: Final = "andon"
EVIDENCE: Final = 20
HITS: Final = 500
"""Customers that a group remembers."""


def strike(hit: GroupHit, state: SubjectState, given: Given) -> Changes:
    """One more customer is hit; raises the group's alert once they are enough."""
    changes, andon = Changes(), given.policy.andon
    since = hit.at - timedelta(minutes=andon.window_minutes)
    recent = {who: at for who, at in state.hits.items() if at > since and who != hit.customer}
    state.hits = dict([*recent.items(), (hit.customer, hit.at)][-HITS:])
    thread = state.own.threads.setdefault(KEY, Thread(last=hit.at))
    remember(thread, hit.mention_id)
    thread.last = max(thread.last, hit.at)
    if thread.standing:
        assert thread.alert is not None
        evidence = (*thread.alert.evidence, hit.mention_id)[-EVIDENCE:]
        changes.change(thread, evidence=evidence)
    elif _fresh_hits(state, thread) >= andon.customers:
        begin(thread, _alert(hit, state, thread, given), changes, given)
    thread.due["expire"] = thread.last + timedelta(days=given.policy.thread_days)
    return changes


def _fresh_hits(state: SubjectState, thread: Thread) -> int:
    """Customers hit since the line was last released."""
    released = thread.alert.resolved_at if thread.alert else None
    return sum(released is None or at > released for at in state.hits.values())


def _alert(hit: GroupHit, state: SubjectState, thread: Thread, given: Given) -> Alert:
    old = thread.alert
    version, cycle = (old.version, old.cycle) if old else state.own.past.pop(KEY, (0, 0))
    return Alert(
        alert_id=digest(hit.group_key, KEY),
        group_key=hit.group_key,
        kind="andon",
        state="pending",
        priority=given.policy.andon.priority,
        score=1.0,
        reasons=(Reason(code="andon", contribution=1.0),),
        subject=hit.subject,
        brand=hit.brand,
        issue=hit.issue,
        opened_at=hit.at,
        evidence=tuple(thread.heard[-EVIDENCE:]),
        model=hit.model,
        version=version + 1,
        cycle=cycle + 1,
    )
