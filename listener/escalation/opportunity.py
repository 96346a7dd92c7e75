"""Somebody wants to buy, or needs what could be sold: a word to sales, not to support."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from listener.escalation.notices import begin, resolve
from listener.escalation.policy import EscalationPolicy, Given
from listener.escalation.score import ours
from listener.escalation.state import Book, Changes, SubjectState, Thread, digest, remember
from listener.records import Alert, Labels, Linked, Reason

KEY: Final = "opportunity"
SNIPPET: Final = 200


def opportunity(
    linked: Linked, state: SubjectState, book: Book, changes: Changes, given: Given
) -> None:
    """Opens one for a known customer or a prospect, never beside an open complaint."""
    labels, mention = linked.judgement.labels, linked.mention
    reason = _reason(linked, labels, given.policy) if labels else None
    old = book.threads.get(KEY)
    if reason is None or (old is not None and old.standing) or _complains(state):
        return
    known = linked.link.customer_id is not None or linked.stage == "prospect"
    if not known or labels is None or not ours(linked, labels, given.policy):
        return
    thread = book.threads.setdefault(KEY, Thread(last=mention.event_time))
    thread.last, thread.solved = mention.event_time, False
    thread.channel, thread.quoted = mention.channel, mention.mention_id
    thread.segment = linked.standing.segment if linked.standing else ""
    begin(thread, _fresh(linked, labels, book, thread, reason, given), changes, given)
    thread.due["expire"] = thread.last + timedelta(days=given.policy.thread_days)
    remember(thread, mention.mention_id, author=mention.author_key)
    changes.placed.append(mention.mention_id)


def give_way(book: Book, changes: Changes, *, at: datetime) -> None:
    """A complaint has opened: nobody sells to this customer now."""
    thread = book.threads.get(KEY)
    if thread is not None and thread.standing:
        resolve(thread, changes, at=at)


def _reason(linked: Linked, labels: Labels, policy: EscalationPolicy) -> Reason | None:
    unsure, floor = linked.judgement.unsure, policy.opportunity.floor
    wants = labels.flags.get("purchase", 0.0)
    if wants >= floor and "purchase" not in unsure:
        return Reason(code="purchase", contribution=round(wants, 4))
    needs = labels.flags.get("request", 0.0) * (labels.top_issue == "feature")
    if needs >= floor and not {"request", "issue"} & set(unsure):
        return Reason(code="need", contribution=round(needs, 4))
    return None


def _complains(state: SubjectState) -> bool:
    """Whether the subject has a complaint that is not solved."""
    return any(
        thread.unsolved and (thread.alert is None or thread.alert.kind == "trouble")
        for thread in state.threads()
    )


def _fresh(
    linked: Linked, labels: Labels, book: Book, thread: Thread, reason: Reason, given: Given
) -> Alert:
    mention, old = linked.mention, thread.alert
    version, cycle = (old.version, old.cycle) if old else book.past.pop(KEY, (0, 0))
    brand = mention.brands[0] if mention.brands else None
    return Alert(
        alert_id=old.alert_id if old else digest(book.author or linked.subject, KEY),
        group_key=digest(brand or "", KEY),
        kind="opportunity",
        state="pending",
        priority=given.policy.opportunity.priority,
        score=reason.contribution,
        reasons=(reason,),
        subject=linked.subject,
        brand=brand,
        issue=labels.top_issue,
        opened_at=mention.event_time,
        evidence=(mention.mention_id,),
        snippet=mention.text[:SNIPPET],
        permalink=mention.uri,
        link=linked.link,
        model=linked.judgement.model,
        version=version + 1,
        cycle=cycle + 1,
    )
