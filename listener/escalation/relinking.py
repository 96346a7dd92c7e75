"""A changed directory: open alerts get the link that would now result, and their threads follow.

What the directory itself has joined it also parts, by the same way as a person's own link.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from listener.escalation.moves import CUSTOMER, depart, send_home
from listener.escalation.state import Book, Changes, SubjectState, Thread
from listener.records import Author, Hints, Link

Resolve = Callable[[Link, str, Author, Hints], Link | None]
"""The link before, network, author and hints → the link now; None: it is the same."""


def relink(subject: str, state: SubjectState, resolve: Resolve, *, at: datetime) -> Changes:
    """Nobody is told anew: who the customer is changes neither state nor priority."""
    changes = Changes()
    for author, book in list(state.guests.items()):
        link = _of(book, resolve)
        if link is not None and not _certain(link, subject):
            send_home(author, state, changes, at=at)
    link = _of(state.own, resolve)
    person = not subject.startswith((CUSTOMER, "group:"))
    if person and link is not None and link.customer_id and link.tier != "T3":
        depart(subject, state, changes, link=link, at=at)
        return changes
    for thread in state.threads():
        found = _changed(thread, resolve)
        if found is not None:
            changes.change(thread, link=found)
    return changes


def _certain(link: Link, subject: str) -> bool:
    return link.tier != "T3" and subject == f"{CUSTOMER}{link.customer_id}"


def _of(book: Book, resolve: Resolve) -> Link | None:
    """The new link of the book's standing alerts; None while nothing has changed."""
    found = (_changed(thread, resolve) for thread in book.threads.values())
    return next((link for link in found if link is not None), None)


def _changed(thread: Thread, resolve: Resolve) -> Link | None:
    sender = thread.sender
    if sender is None or not thread.standing or thread.alert is None:
        return None
    return resolve(thread.alert.link, sender.network, sender.author, sender.hints)
