"""Timers are state: this fires what is due, in its order, each as of its own time.

A timer that goes off late (after a restart, or because a replay's clock jumped) does what it would
have done in time, so that a subject's state does not depend on how often anybody looked.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from listener.escalation import notices
from listener.escalation.policy import Given
from listener.escalation.state import RINGING, Book, Changes, SubjectState, Thread
from listener.escalation.waiting import breach


class Timer(NamedTuple):
    due: datetime
    name: str
    key: str
    book: Book

    @property
    def thread(self) -> Thread:
        return self.book.threads[self.key]


def tick(state: SubjectState, given: Given) -> Changes:
    """Alerts that change because their time has come."""
    changes = Changes()
    while (timer := _first(state)) is not None and timer.due <= given.now:
        del timer.thread.due[timer.name]
        _fire(timer, changes, given)
    return changes


def next_due(state: SubjectState) -> datetime | None:
    """When the next timer of a subject goes off."""
    timer = _first(state)
    return timer.due if timer else None


def _first(state: SubjectState) -> Timer | None:
    timers = (
        Timer(due, name, key, book)
        for book in state.books()
        for key, thread in book.threads.items()
        for name, due in thread.due.items()
    )
    return min(timers, key=lambda timer: timer[:3], default=None)


def _fire(timer: Timer, changes: Changes, given: Given) -> None:
    thread, then = timer.thread, given.at(timer.due)
    alert = thread.alert
    if timer.name == "expire":
        _expire(timer, changes)
    elif timer.name == "breach":
        breach(thread, changes, then)
    elif alert is None:
        return
    elif timer.name in ("open", "wake"):
        if alert.state in ("pending", "suppressed"):
            notices.show(thread, changes, then)
            _sleep_on(thread, given)
    elif timer.name == "change":
        notices.announce(thread, changes, then)
    elif alert.state in RINGING and timer.name == "repeat":
        notices.again(thread, changes, given, at=timer.due)
    elif alert.state in RINGING:
        notices.climb(thread, changes, then)


def _sleep_on(thread: Thread, given: Given) -> None:
    """An incident is known as it is now: to look at it as of each past interval says nothing."""
    if "wake" in thread.due and thread.due["wake"] <= given.now and thread.silenced_until is None:
        thread.due["wake"] = given.later(given.policy.timing.group_interval)


def _expire(timer: Timer, changes: Changes) -> None:
    """A thread that has long been quiet is dropped; its alert's version never goes back."""
    thread, book = timer.thread, timer.book
    if thread.standing:
        changes.change(thread, state="expired", due_at=None)
    if thread.alert is not None:
        book.past[timer.key] = thread.alert.version, thread.alert.cycle
    del book.threads[timer.key]
