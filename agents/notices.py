"""Who is to be told what of one alert, and what each receiver has been told: the rules, without IO.

A receiver that is behind hears of an alert's newest state only. What it is still to be told (`due`)
is a part of the alert's state, so that the alert itself may be acknowledged at once.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

import msgspec

from listener.records import Alert

_STANDING: Final = ("open", "reopened")
_BEFORE: Final = 16


class Told(msgspec.Struct, array_like=True):
    """The last notice that one receiver got, or that was given up and is in dead letters."""

    version: int
    notice: str
    state: str = ""
    ref: str = ""
    """The destination's own name of its message, to update it in place."""
    dead: bool = False
    """Given up: it is in dead letters."""
    before: tuple[str, ...] = ()
    """Notices before it, newest last: an alert may come back to a state that they know."""

    def knows(self, notice: str) -> bool:
        return notice == self.notice or notice in self.before


class Due(msgspec.Struct):
    """The newest notice that one receiver is still to get."""

    alert: Alert
    since: datetime
    """When it became due: the deadline counts from here."""


class Delivered(msgspec.Struct):
    """What became of one alert, by receiver."""

    told: dict[str, Told] = {}
    due: dict[str, Due] = {}
    version: int = 0
    """The newest version taken in."""
    partition: int = 0
    """Of the alert, and so of this state."""


def take_in(
    done: Delivered, alert: Alert, names: Collection[str], *, partition: int, now: datetime
) -> None:
    """Notes what a newer version of the alert makes due, or due no longer."""
    if alert.version <= done.version:
        return
    done.version, done.partition = alert.version, partition
    for name in names:
        _consider(done, name, alert, now=now)


def _consider(done: Delivered, name: str, alert: Alert, *, now: datetime) -> None:
    due = done.due.get(name)
    if not alert.notifies:
        done.due.pop(name, None)
    elif due is not None and due.alert.notice_id == alert.notice_id:
        # More evidence, or a text that was taken back: only the newest may go out.
        due.alert = alert
    elif _addressed(done, name, alert):
        done.due[name] = Due(alert, now)


def _addressed(done: Delivered, name: str, alert: Alert) -> bool:
    told, due = done.told.get(name), done.due.get(name)
    if told is not None and told.knows(alert.notice_id):
        return False
    if alert.state in _STANDING:
        return not alert.receivers or name in alert.receivers
    # Who never heard of the trouble, or heard of its end, need not hear of its end.
    return due is not None or (told is not None and told.state != "resolved")


def send_again(done: Delivered, name: str, alert: Alert, *, now: datetime) -> None:
    """Makes a dead notice due again, unless the receiver has heard or will hear newer."""
    told = done.told.get(name)
    dead = told is not None and told.dead and told.notice == alert.notice_id
    if dead and name not in done.due:
        done.due[name] = Due(alert, now)


def settle(
    done: Delivered, name: str, alert: Alert, *, ref: str | None = None, dead: bool = False
) -> None:
    """Notes that the receiver got this notice, or never will."""
    old = done.told.get(name)
    before: tuple[str, ...] = ()
    if old is not None:
        ref = ref or old.ref
        before = (
            (*old.before, old.notice)[-_BEFORE:] if old.notice != alert.notice_id else old.before
        )
    done.told[name] = Told(
        alert.version, alert.notice_id, alert.state, ref or "", dead=dead, before=before
    )
    due = done.due.get(name)
    if due is not None and due.alert.notice_id == alert.notice_id:
        del done.due[name]
