"""Complaints that nobody answers: the SLA clock alone may make an alert of one.

The score holds for the moment of a message; as time passes its SLA input rises. Where the brand's
answers are seen, a timer goes off when that alone carries the score over the threshold.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from listener.escalation.hours import after, elapsed
from listener.escalation.notices import begin, due_at
from listener.escalation.policy import EscalationPolicy, Given
from listener.escalation.score import Score, may_alert, overdue
from listener.escalation.state import Changes, SubjectState, Thread
from listener.records import Alert, Linked


def waited(thread: Thread, until: datetime, policy: EscalationPolicy) -> float:
    """Seconds of business time since the customer has waited for an answer."""
    if thread.waiting_since is None:
        return 0.0
    return elapsed(thread.waiting_since, until, policy.hours, "P3")


def broke_sla(linked: Linked, state: SubjectState, policy: EscalationPolicy) -> bool:
    """Whether this customer has waited on this issue for longer than we promise."""
    labels = linked.judgement.labels
    if labels is None:
        return False
    threads = (book.threads.get(labels.top_issue) for book in state.books())
    target = policy.answer_minutes * 60
    until = linked.mention.event_time
    return any(waited(thread, until, policy) > target for thread in threads if thread)


def waits_for_answer(linked: Linked, policy: EscalationPolicy) -> bool:
    seen = linked.mention.channel in policy.answered_channels
    return seen and may_alert(linked, policy)


def arm(thread: Thread, policy: EscalationPolicy) -> None:
    """Sets the timer of a draft to the moment at which waiting makes it an alert, if ever."""
    thread.due.pop("breach", None)
    weight = policy.weights.get("sla", 0.0)
    if thread.draft is None or thread.waiting_since is None or weight <= 0:
        return
    without = overdue(_score(thread.draft), 0.0, policy).value
    share = (1 - (1 - policy.p3) / max(1 - without, 1e-9)) / weight
    if share <= 1:
        seconds = max(share, 0.0) * policy.answer_minutes * 60
        thread.due["breach"] = after(thread.waiting_since, seconds, policy.hours, "P3")


def breach(thread: Thread, changes: Changes, given: Given) -> None:
    """Nobody has answered: the complaint becomes an alert."""
    draft = thread.draft
    if draft is None or thread.standing or thread.waiting_since is None:
        return
    share = waited(thread, given.now, given.policy) / (given.policy.answer_minutes * 60)
    found = overdue(_score(draft), share, given.policy)
    thread.spent, thread.quoted = 0.0, draft.evidence[-1]
    alert = msgspec.structs.replace(
        draft,
        score=found.value,
        reasons=found.reasons,
        opened_at=given.now,
        due_at=due_at(thread, draft.priority, given, opened=given.now),
    )
    expire = thread.due.get("expire")
    begin(thread, alert, changes, given)
    if expire is not None:
        thread.due["expire"] = expire


def _score(draft: Alert) -> Score:
    return Score(value=draft.score, priority=None, reasons=draft.reasons)
