"""From a customer's message to alerts: one for each subject and issue, until it is resolved."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from listener.escalation import notices
from listener.escalation.belonging import whereabouts
from listener.escalation.conversations import conversation, follow_up, settle
from listener.escalation.notices import begin, due_at, restamp
from listener.escalation.opportunity import give_way, opportunity
from listener.escalation.policy import Given
from listener.escalation.score import Facts, Score, score
from listener.escalation.state import (
    RANK,
    RINGING,
    Book,
    Changes,
    Sender,
    SubjectState,
    Thread,
    digest,
    remember,
)
from listener.escalation.waiting import arm, waited, waits_for_answer
from listener.records import Alert, GroupHit, Linked, Mention

EVIDENCE: Final = 20
SNIPPET: Final = 200
PIECES: Final = timedelta(minutes=10)
"""Messages that follow each other within this time are one, written in pieces."""


def hear(linked: Linked, state: SubjectState, given: Given) -> Changes:
    """Takes a customer's message into the subject's state. `tick` comes first."""
    changes = Changes()
    labels, mention = linked.judgement.labels, linked.mention
    if mention.from_brand or mention.repost_of is not None or _forgotten(mention, state):
        return changes
    changes.belongs += whereabouts(linked, state)
    book = state.guests.get(mention.author_key, state.own)
    if mention.op == "update":
        _requote(book, linked, changes)
    if labels is None or _known(book, mention.mention_id):
        return changes
    talk = conversation(book, mention)
    key = talk or labels.top_issue
    facts = _facts(state, book.threads.get(key), linked, given)
    found = score(linked, facts, given.policy)
    if found.priority is not None or labels.complaint >= given.policy.complaint_floor:
        _trouble(linked, book, key, found, changes, given)
    else:
        follow_up(linked, book, talk, changes, given)
        opportunity(linked, state, book, changes, given)
    return changes


def _forgotten(mention: Mention, state: SubjectState) -> bool:
    """Whether the author was forgotten after they wrote this."""
    return state.forgotten is not None and mention.observed_at <= state.forgotten


def _known(book: Book, mention_id: str) -> bool:
    return any(mention_id in thread.heard for thread in book.threads.values())


def _facts(state: SubjectState, thread: Thread | None, linked: Linked, given: Given) -> Facts:
    others = sum(t.unsolved for t in state.threads() if t is not thread and _trouble_of(t))
    if thread is None:
        return Facts(unsolved=others)
    again = thread.unsolved and linked.mention.event_time - thread.last >= PIECES
    return Facts(
        unsolved=others + int(again),
        waiting_minutes=waited(thread, linked.mention.event_time, given.policy) / 60,
        relapsed=_relapsed(thread, given),
    )


def _trouble_of(thread: Thread) -> bool:
    return thread.alert is None or thread.alert.kind == "trouble"


def _relapsed(thread: Thread, given: Given) -> bool:
    alert = thread.alert
    if alert is None or alert.state != "resolved" or alert.resolved_at is None:
        return False
    return given.now - alert.resolved_at < timedelta(days=given.policy.relapse_days)


def _trouble(
    linked: Linked, book: Book, key: str, found: Score, changes: Changes, given: Given
) -> None:
    thread = book.threads.get(key)
    relapsed = thread is not None and _relapsed(thread, given)
    thread = _keep(linked, book, key, changes, given)
    if thread.standing:
        _grow(thread, linked, found, changes, given)
    elif found.priority is not None:
        thread.relapse = relapsed
        thread.spent = 0.0
        begin(thread, _fresh(linked, book, key, found, given), changes, given)
        thread.quoted = linked.mention.mention_id
        thread.due["expire"] = thread.last + timedelta(days=given.policy.thread_days)
        changes.hits += _hit(thread, linked)
        give_way(book, changes, at=linked.mention.event_time)
    elif waits_for_answer(linked, given.policy):
        thread.draft = _fresh(linked, book, key, found, given)
        arm(thread, given.policy)
    settle(book, key, linked.mention.mention_id, changes, given)


def _keep(linked: Linked, book: Book, key: str, changes: Changes, given: Given) -> Thread:
    """The message becomes a part of its thread, and the customer waits."""
    mention = linked.mention
    thread = book.threads.setdefault(key, Thread(last=mention.event_time))
    thread.last = max(thread.last, mention.event_time)
    thread.waiting_since = thread.waiting_since or mention.event_time
    thread.solved = False
    thread.channel = mention.channel
    thread.segment = linked.standing.segment if linked.standing else ""
    thread.due["expire"] = thread.last + timedelta(days=given.policy.thread_days)
    thread.sender = Sender(mention.network, mention.author, mention.hints)
    remember(thread, mention.mention_id, author=mention.author_key)
    changes.placed.append(mention.mention_id)
    return thread


def _fresh(linked: Linked, book: Book, key: str, found: Score, given: Given) -> Alert:
    """The alert of a new cycle, with the evidence of those before it."""
    priority = found.priority or "P3"
    mention, labels = linked.mention, linked.judgement.labels
    assert labels is not None
    thread = book.threads[key]
    old = thread.alert
    version, cycle = (old.version, old.cycle) if old else book.past.pop(key, (0, 0))
    brand = mention.brands[0] if mention.brands else None
    issue = old.issue if old else labels.top_issue
    return Alert(
        alert_id=old.alert_id if old else digest(book.author or linked.subject, key),
        group_key=digest(brand or "", issue),
        state="pending",
        priority=priority,
        score=found.value,
        reasons=found.reasons,
        subject=linked.subject,
        brand=brand,
        issue=issue,
        opened_at=mention.event_time,
        due_at=due_at(thread, priority, given, opened=mention.event_time),
        evidence=(*(old.evidence if old else ()), mention.mention_id)[-EVIDENCE:],
        snippet=mention.text[:SNIPPET],
        permalink=mention.uri,
        link=linked.link,
        model=linked.judgement.model,
        version=version + 1,
        cycle=cycle + 1,
        assignee=old.assignee if old else None,
    )


def _grow(thread: Thread, linked: Linked, found: Score, changes: Changes, given: Given) -> None:
    """More evidence; the priority of a standing alert only rises."""
    alert = thread.alert
    assert alert is not None
    if alert.redacted:
        _speak_again(thread, linked, given)
    stronger = found.value > alert.score
    changes.change(
        thread,
        score=max(alert.score, found.value),
        reasons=found.reasons if stronger else alert.reasons,
        evidence=(*alert.evidence, linked.mention.mention_id)[-EVIDENCE:],
        due_at=due_at(thread, alert.priority, given),
    )
    highest = max(alert.priority, thread.raised or alert.priority, key=RANK.__getitem__)
    if found.priority is not None and RANK[found.priority] > RANK[highest]:
        notices.rise(thread, found.priority, changes, given)
    elif alert.state in RINGING:
        restamp(thread, changes, given)


def _speak_again(thread: Thread, linked: Linked, given: Given) -> None:
    """All that the alert stood on is gone, but the customer has written anew."""
    alert = thread.alert
    assert alert is not None
    thread.alert = msgspec.structs.replace(
        alert,
        redacted=False,
        quiet=thread.told_at is None and alert.state == "acknowledged",
        snippet=linked.mention.text[:SNIPPET],
        permalink=linked.mention.uri,
    )
    thread.quoted = linked.mention.mention_id
    if alert.state in RINGING:
        thread.due["repeat"] = given.later(given.policy.timing.repeat_interval)
    elif alert.state in ("pending", "suppressed"):
        thread.due["open"] = given.later(given.policy.timing.group_wait)


def _requote(book: Book, linked: Linked, changes: Changes) -> None:
    """The author changed the text: the alert shows the new one."""
    for thread in book.threads.values():
        if thread.alert is not None and thread.quoted == linked.mention.mention_id:
            changes.change(thread, snippet=linked.mention.text[:SNIPPET])


def _hit(thread: Thread, linked: Linked) -> list[GroupHit]:
    """What the group of this brand and issue must know."""
    alert, mention = thread.alert, linked.mention
    assert alert is not None
    return [
        GroupHit(
            subject=f"group:{alert.group_key}",
            group_key=alert.group_key,
            brand=alert.brand,
            issue=alert.issue,
            customer=alert.subject,
            mention_id=mention.mention_id,
            model=alert.model,
            at=mention.event_time,
            observed_at=mention.observed_at,
        )
    ]
