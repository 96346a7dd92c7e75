"""Whose threads these are: a person links an author to a customer, or takes that back.

An author's threads move whole and stay apart as a guest under the customer, with all that comes
after, so that unlinking is the exact inverse.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from listener.errors import InvalidMessage
from listener.escalation.state import Book, Changes, SubjectState, Thread
from listener.records import Action, Link, ManualLink, Moved

CUSTOMER = "customer:"


def part(action: Action, state: SubjectState, thread: Thread, changes: Changes) -> None:
    """The threads leave this subject. Raises InvalidMessage before anything has changed."""
    customer = action.customer_id or ""
    if action.kind == "link":
        author = _leaving(action)
        depart(author, state, changes, link=None, at=action.at, customer_id=customer)
    else:
        author, book = _returning(action, state, thread)
        changes.moved.append(_back(author, book, customer_id=customer, at=action.at))
    changes.links.append(
        ManualLink(
            author=author,
            customer_id=action.customer_id or "",
            linked=action.kind == "link",
            actor=action.actor,
            at=action.at,
            action_id=action.action_id,
        )
    )


def depart(
    author: str,
    state: SubjectState,
    changes: Changes,
    *,
    link: Link | None,
    at: datetime,
    customer_id: str = "",
) -> None:
    """An author's threads go to a customer: by the directory's `link`, or by a person (None)."""
    customer = link.customer_id or "" if link else customer_id
    book, state.own, state.moved_to = state.own, Book(), f"{CUSTOMER}{customer}"
    changes.moved.append(
        Moved(
            subject=state.moved_to,
            author=author,
            customer_id=customer,
            book=msgspec.Raw(msgspec.json.encode(book)),
            link=link,
            at=at,
        )
    )


def send_home(author: str, state: SubjectState, changes: Changes, *, at: datetime) -> None:
    """A guest's threads go back to their author."""
    changes.moved.append(_back(author, state.guests.pop(author), customer_id="", at=at))


def _back(author: str, book: Book, *, customer_id: str, at: datetime) -> Moved:
    raw = msgspec.Raw(msgspec.json.encode(book))
    return Moved(subject=author, author=author, back=True, customer_id=customer_id, book=raw, at=at)


def arrive(moved: Moved, state: SubjectState) -> Changes:
    """Threads come to a customer as a guest's, or home to their author."""
    changes = Changes()
    book = msgspec.json.decode(moved.book, type=Book)
    if moved.back:
        state.moved_to = ""
        _home(book, state, moved, changes)
    else:
        book.author = moved.author
        state.guests[moved.author] = book
        by_hand = Link(customer_id=moved.customer_id, tier="T0", basis="manual", probability=1.0)
        link = moved.link or by_hand
        for thread in book.threads.values():
            thread.home = thread.alert.link if thread.alert else None
            _tell(thread, changes, subject=moved.subject, link=link)
    return changes


def _leaving(action: Action) -> str:
    if action.subject.startswith((CUSTOMER, "group:")):
        raise InvalidMessage(
            f"link: {action.subject} is no author without a customer; unlink first",
            field="$.subject",
        )
    return action.subject


def _returning(action: Action, state: SubjectState, thread: Thread) -> tuple[str, Book]:
    """The guest whose thread it is; else the threads that only this author wrote in."""
    if action.subject != f"{CUSTOMER}{action.customer_id}":
        raise InvalidMessage(
            f"unlink: {action.subject} is not customer {action.customer_id}", field="$.customer_id"
        )
    for author, book in state.guests.items():
        if thread in book.threads.values():
            return author, state.guests.pop(author)
    if len(thread.authors) != 1:
        raise InvalidMessage(
            f"unlink: {len(thread.authors)} authors wrote in this thread; whose is it?",
            field="$.alert_id",
        )
    author = thread.authors[0]
    mine = {k: t for k, t in state.own.threads.items() if t.authors == [author]}
    state.own.threads = {k: t for k, t in state.own.threads.items() if k not in mine}
    return author, Book(threads=mine)


def _home(book: Book, state: SubjectState, moved: Moved, changes: Changes) -> None:
    for thread in book.threads.values():
        _tell(thread, changes, subject=moved.author, link=thread.home or Link())
        thread.home = None
    # What the author has opened since keeps its place; the other stays reachable beside it.
    for key in [k for k in book.threads if k in state.own.threads]:
        book.threads[f"{key}, linked by hand"] = book.threads.pop(key)
    state.own.threads |= book.threads
    state.own.loose += book.loose
    state.own.past |= book.past


def _tell(thread: Thread, changes: Changes, *, subject: str, link: Link) -> None:
    if thread.alert is not None:
        changes.change(thread, subject=subject, link=link)
