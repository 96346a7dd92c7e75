"""Threads: what answers, follow-ups and closing words do to a conversation."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from listener.escalation import notices
from listener.escalation.policy import EscalationPolicy, Given
from listener.escalation.state import Book, Changes, Loose, SubjectState, Thread, remember
from listener.escalation.waiting import arm
from listener.records import Linked, Mention, Reply

LOOSE: Final = 10
DOUBT: Final = 0.5
"""Probability from which sarcasm or a request spoils a word of thanks."""


def conversation(book: Book, mention: Mention) -> str | None:
    """The key of the thread that a message continues."""
    before = {mention.parent, mention.root} - {None}
    found = (key for key, t in book.threads.items() if before & set(t.heard))
    return next(found, None)


def answer(reply: Reply, state: SubjectState, given: Given) -> Changes:
    """The brand has answered: that acknowledges, and the clock waits for the customer."""
    changes = Changes()
    for book in state.books():
        for key, thread in list(book.threads.items()):
            if reply.answers in thread.heard and remember(thread, reply.mention_id):
                changes.placed.append(reply.mention_id)
                _answered(thread, reply.author, reply.at, changes, given)
                settle(book, key, reply.mention_id, changes, given)
    return changes


def follow_up(linked: Linked, book: Book, key: str | None, changes: Changes, given: Given) -> None:
    """A message that is no complaint: it may close its thread, or set the clock going."""
    mention = linked.mention
    loose = Loose(
        mention_id=mention.mention_id,
        parent=mention.parent or mention.root or "",
        at=mention.event_time,
        closes=closes(linked, given.policy),
        thanks=thanks(mention.text, given.policy),
        author=mention.author_key,
    )
    if key is not None:
        _apply(book, key, loose, changes, given)
    elif loose.parent:
        limit = mention.event_time - timedelta(days=given.policy.thread_days)
        book.loose = [*(one for one in book.loose if one.at > limit), loose][-LOOSE:]


def settle(book: Book, key: str, heard: str, changes: Changes, given: Given) -> None:
    """Applies what had come before the message or answer that it follows."""
    for loose in [one for one in book.loose if one.parent == heard]:
        book.loose.remove(loose)
        _apply(book, key, loose, changes, given)


def closes(linked: Linked, policy: EscalationPolicy) -> bool:
    """Whether a message says that all is well: it worked, or thanks in a good mood."""
    labels, unsure = linked.judgement.labels, linked.judgement.unsure
    if labels is None or labels.complaint >= policy.complaint_floor:
        return False
    spoiled = max(labels.flags.get(flag, 0.0) for flag in ("sarcasm", "request", "repeat"))
    if spoiled >= DOUBT or "?" in linked.mention.text:
        return False
    worked = labels.flags.get("success", 0.0) >= policy.closing_floor and "success" not in unsure
    glad = labels.sentiment.get("pos", 0.0) >= policy.closing_floor
    return worked or (glad and thanks(linked.mention.text, policy))


def thanks(text: str, policy: EscalationPolicy) -> bool:
    words = "|".join(map(re.escape, policy.thanks))
    return (
        bool(words) and re.search(rf"(?<!\w)(?<!no )(?:{words})", text, re.IGNORECASE) is not None
    )


def _apply(book: Book, key: str, loose: Loose, changes: Changes, given: Given) -> None:
    thread = book.threads[key]
    if not remember(thread, loose.mention_id, author=loose.author):
        return
    thread.last = max(thread.last, loose.at)
    thread.due["expire"] = thread.last + timedelta(days=given.policy.thread_days)
    changes.placed.append(loose.mention_id)
    if loose.closes:
        _close(thread, loose.at, changes, given)
    elif thread.unsolved and not loose.thanks and thread.waiting_since is None:
        thread.waiting_since = loose.at
        arm(thread, given.policy)
        if thread.standing:
            notices.restamp(thread, changes, given)
    settle(book, key, loose.mention_id, changes, given)


def _close(thread: Thread, at: datetime, changes: Changes, given: Given) -> None:
    notices.pause(thread, at, given)
    thread.draft = None
    thread.solved = True
    if thread.standing:
        notices.resolve(thread, changes, at=at)


def _answered(thread: Thread, author: str, at: datetime, changes: Changes, given: Given) -> None:
    notices.pause(thread, at, given)
    # If the customer has written since, they wait again.
    arm(thread, given.policy)
    alert = thread.alert
    if alert is None or not thread.standing:
        return
    if alert.state == "acknowledged":
        notices.restamp(thread, changes, given)
    else:
        notices.acknowledge(thread, changes, by=author, at=at, due_at=None)
