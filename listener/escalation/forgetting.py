"""A message, an author or a customer is deleted at the source: text and identifiers go, the alert's
state stays (definitions §6).
"""

from __future__ import annotations

import msgspec

from listener.escalation.state import Book, Changes, SubjectState, Thread
from listener.records import Alert, Gone

_TIMERS = ("open", "change", "repeat", "step", "wake")


def redact(gone: Gone, state: SubjectState) -> Changes:
    """Takes the text out of alerts; one that has nothing else to stand on is told to nobody."""
    changes = Changes()
    if gone.mention_id is not None:
        _message(gone.mention_id, state, changes, gone)
    elif gone.author is not None:
        _author(gone.author, state, changes, gone)
    else:
        _everything(state, changes, gone)
    return changes


def _message(mention_id: str, state: SubjectState, changes: Changes, gone: Gone) -> None:
    if gone.author is not None:
        state.hits.pop(gone.author, None)
    for book in state.books():
        book.loose = [one for one in book.loose if one.mention_id != mention_id]
        for thread in book.threads.values():
            _redact(thread, {mention_id}, changes, gone)


def _author(author: str, state: SubjectState, changes: Changes, gone: Gone) -> None:
    """What one author wrote goes from a customer's threads; those of others stay as they are."""
    guest = state.guests.pop(author, None)
    if guest is not None:
        _adopt(guest, state)
    for book in state.books():
        book.loose = [one for one in book.loose if one.author != author]
        for thread in book.threads.values():
            ids = thread.wrote.pop(author, None)
            if ids is not None:
                _redact(thread, set(ids), changes, gone)
                _strip(thread, set(ids), author)
        _tidy(book)
    state.writers = [one for one in state.writers if one != author]


def _adopt(guest: Book, state: SubjectState) -> None:
    """A forgotten guest's alerts live on in the customer's own book, under nobody's name."""
    for thread in guest.threads.values():
        if thread.alert is not None:
            state.own.threads[f"{thread.alert.alert_id}, forgotten"] = thread


def _everything(state: SubjectState, changes: Changes, gone: Gone) -> None:
    """Of an author, also what customers have of theirs."""
    for book in state.books():
        book.loose = []
        for thread in book.threads.values():
            _redact(thread, None, changes, gone)
            _strip(thread, None, "")
            thread.wrote = {}
        _tidy(book)
    elsewhere = dict.fromkeys((*state.under, *([state.moved_to] if state.moved_to else ())))
    changes.gone += [Gone(subject=there, author=gone.subject, at=gone.at) for there in elsewhere]
    state.under, state.moved_to, state.writers = [], "", []
    state.forgotten = gone.at


def _strip(thread: Thread, ids: set[str] | None, author: str) -> None:
    """Identifiers go, too: of these messages, of their author and of the evidence for the link."""
    thread.heard = [i for i in thread.heard if ids is not None and i not in ids]
    if thread.quoted not in thread.heard:
        thread.quoted = ""
    sender = thread.sender
    if sender is not None and author in ("", f"{sender.network}:{sender.author.id}"):
        thread.sender = None
        thread.home = None


def _tidy(book: Book) -> None:
    """A thread without an alert and without a message is nothing any more."""
    book.threads = {k: t for k, t in book.threads.items() if t.alert is not None or t.heard}


def _redact(thread: Thread, ids: set[str] | None, changes: Changes, gone: Gone) -> None:
    """`ids`: of the messages that go; None: all."""
    if thread.draft is not None and (ids is None or thread.draft.evidence[-1] in ids):
        thread.draft = None
        thread.due.pop("breach", None)
    alert = thread.alert
    if alert is None or (ids is not None and not ids & set(alert.evidence)):
        return
    kept = tuple(i for i in alert.evidence if ids is not None and i not in ids)
    shown = ids is not None and thread.quoted not in ids
    if not kept and alert.kind != "andon":
        thread.due = {name: at for name, at in thread.due.items() if name not in _TIMERS}
    if alert.kind == "trouble":
        changes.gone += _groups(alert, set(alert.evidence) - set(kept), gone)
    link = alert.link
    if gone.mention_id is None:
        link = msgspec.structs.replace(link, evidence=())
    changes.change(
        thread,
        evidence=kept,
        snippet=alert.snippet if shown else None,
        permalink=alert.permalink if shown else None,
        redacted=not kept and alert.kind != "andon",
        link=link,
    )


def _groups(alert: Alert, ids: set[str], gone: Gone) -> list[Gone]:
    """The andon alert of the same issue names these messages, too."""
    person = alert.subject if gone.mention_id is None and gone.author is None else None
    return [
        Gone(subject=f"group:{alert.group_key}", mention_id=mention_id, author=person, at=gone.at)
        for mention_id in sorted(ids)
    ]
