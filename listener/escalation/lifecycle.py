"""From scores to alerts: one alert for each subject and issue, open until it is resolved."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

import msgspec

from listener.escalation.policy import EscalationPolicy
from listener.escalation.score import Facts, Score, score
from listener.records import Action, Alert, Issue, Linked, Priority

EVIDENCE: Final = 20
SNIPPET: Final = 200
_RANK: Final[dict[Priority, int]] = {"P1": 3, "P2": 2, "P3": 1}
_STANDING_OPEN: Final = ("pending", "open", "acknowledged", "reopened")


class Thread(msgspec.Struct):
    """One subject's trouble with one issue."""

    last: datetime
    waiting_since: datetime | None = None
    """Since when the customer waits for an answer; None while we wait for the customer."""
    root: str = ""
    """Mention id of the thread's first message: what counts as the same thread."""
    alert: Alert | None = None


class SubjectState(msgspec.Struct):
    """Threads of one subject by issue. Bounded: one an issue, dropped after 30 quiet days."""

    threads: dict[Issue, Thread] = {}


def escalate(
    linked: Linked, state: SubjectState, policy: EscalationPolicy, *, now: datetime
) -> list[Alert]:
    """Takes a message into the subject's state; returns the alert that it opened or changed."""
    _expire(state, policy, now=now)
    labels = linked.judgement.labels
    mention = linked.mention
    if labels is None or mention.from_brand or mention.repost_of is not None:
        return []
    issue = labels.top_issue
    found = score(linked, _facts(state, issue, linked, policy, now=now), policy)
    alert = _decide(linked, issue, state, found, policy, now=now)
    if alert is not None or labels.complaint >= policy.complaint_floor:
        _keep(state, issue, linked, alert, now=now)
    return [alert] if alert is not None else []


def act(action: Action, state: SubjectState, policy: EscalationPolicy) -> list[Alert]:
    """What a person did with one alert; a second resolve changes nothing."""
    for thread in state.threads.values():
        if thread.alert is not None and thread.alert.alert_id == action.alert_id:
            changed = _acted(action, thread.alert)
            if changed is not None:
                thread.alert = changed
                thread.waiting_since = None
                return [changed]
    return []


def _acted(action: Action, alert: Alert) -> Alert | None:
    if alert.state not in _STANDING_OPEN:
        return None
    if action.kind == "acknowledge":
        if alert.state == "acknowledged":
            return None
        return msgspec.structs.replace(
            alert,
            state="acknowledged",
            acknowledged_by=action.actor,
            acknowledged_at=action.at,
            version=alert.version + 1,
        )
    if action.kind not in ("resolve", "wrong"):
        return None
    return msgspec.structs.replace(
        alert, state="resolved", resolved_at=action.at, version=alert.version + 1
    )


def _expire(state: SubjectState, policy: EscalationPolicy, *, now: datetime) -> None:
    limit = now - timedelta(days=policy.thread_days)
    for issue in [i for i, thread in state.threads.items() if thread.last < limit]:
        del state.threads[issue]


def _facts(
    state: SubjectState, issue: Issue, linked: Linked, policy: EscalationPolicy, *, now: datetime
) -> Facts:
    thread = state.threads.get(issue)
    others = sum(_unsolved(t) for i, t in state.threads.items() if i != issue)
    came_again = int(thread is not None and _unsolved(thread) and _follows_up(thread, linked))
    waiting = thread.waiting_since if thread else None
    minutes = max((now - waiting).total_seconds() / 60, 0.0) if waiting else 0.0
    return Facts(
        unsolved=others + came_again,
        waiting_minutes=minutes,
        relapsed=_relapsed(thread, policy, now=now),
    )


def _unsolved(thread: Thread) -> bool:
    return thread.alert is None or thread.alert.state in _STANDING_OPEN


def _follows_up(thread: Thread, linked: Linked) -> bool:
    """Another message on the same issue that is not a part of one written in pieces."""
    return (linked.mention.event_time - thread.last) >= timedelta(minutes=10)


def _relapsed(thread: Thread | None, policy: EscalationPolicy, *, now: datetime) -> bool:
    alert = thread.alert if thread else None
    if alert is None or alert.state != "resolved" or alert.resolved_at is None:
        return False
    return now - alert.resolved_at < timedelta(days=policy.relapse_days)


def _decide(
    linked: Linked,
    issue: Issue,
    state: SubjectState,
    found: Score,
    policy: EscalationPolicy,
    *,
    now: datetime,
) -> Alert | None:
    thread = state.threads.get(issue)
    alert = thread.alert if thread else None
    if alert is None:
        return _opened(linked, issue, found, policy, now=now)
    if alert.state in _STANDING_OPEN:
        return _grown(alert, linked, found, policy)
    return _reopened(alert, linked, issue, found, policy, now=now)


def _opened(
    linked: Linked, issue: Issue, found: Score, policy: EscalationPolicy, *, now: datetime
) -> Alert | None:
    if found.priority is None:
        return None
    mention = linked.mention
    brand = mention.brands[0] if mention.brands else None
    return Alert(
        alert_id=_digest(linked.subject, issue),
        group_key=_digest(brand or "", issue),
        state="open",
        priority=found.priority,
        score=found.value,
        reasons=found.reasons,
        subject=linked.subject,
        brand=brand,
        issue=issue,
        opened_at=now,
        due_at=now + timedelta(minutes=policy.sla_minutes[found.priority]),
        evidence=(mention.mention_id,),
        snippet=mention.text[:SNIPPET],
        permalink=mention.uri,
        link=linked.link,
        model=linked.judgement.model,
    )


def _grown(alert: Alert, linked: Linked, found: Score, policy: EscalationPolicy) -> Alert | None:
    """More evidence; the priority of an open alert only rises, and its due time only nears."""
    mention_id = linked.mention.mention_id
    if mention_id in alert.evidence:
        return None
    rises = found.priority is not None and _RANK[found.priority] > _RANK[alert.priority]
    stronger = found.value > alert.score
    priority = found.priority if rises and found.priority else alert.priority
    due = alert.opened_at + timedelta(minutes=policy.sla_minutes[priority])
    return msgspec.structs.replace(
        alert,
        priority=priority,
        score=max(alert.score, found.value),
        reasons=found.reasons if stronger or rises else alert.reasons,
        due_at=due,
        evidence=(*alert.evidence, mention_id)[-EVIDENCE:],
        version=alert.version + 1,
    )


def _reopened(
    alert: Alert,
    linked: Linked,
    issue: Issue,
    found: Score,
    policy: EscalationPolicy,
    *,
    now: datetime,
) -> Alert | None:
    fresh = _opened(linked, issue, found, policy, now=now)
    if fresh is None:
        return None
    recent = alert.resolved_at is not None and now - alert.resolved_at < timedelta(
        days=policy.relapse_days
    )
    return msgspec.structs.replace(
        fresh,
        state="reopened" if recent else "open",
        version=alert.version + 1,
        cycle=alert.cycle + 1,
    )


def _keep(
    state: SubjectState, issue: Issue, linked: Linked, alert: Alert | None, *, now: datetime
) -> None:
    old = state.threads.get(issue)
    if old is None:
        state.threads[issue] = Thread(now, now, linked.mention.thread, alert)
        return
    old.last = max(old.last, now)
    old.waiting_since = old.waiting_since or now
    old.alert = alert or old.alert


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
