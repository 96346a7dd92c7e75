"""What is kept of one subject, and what a rule changed in it."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, Final

import msgspec

from listener.records import (
    Alert,
    Author,
    Belongs,
    Gone,
    GroupHit,
    Hints,
    Link,
    ManualLink,
    Moved,
    Priority,
)

STANDING: Final = ("pending", "open", "acknowledged", "suppressed", "reopened")
RINGING: Final = ("open", "reopened")
RANK: Final[dict[Priority, int]] = {"P1": 3, "P2": 2, "P3": 1}
HEARD: Final = 40
"""Messages and answers by whose ids a thread is known."""


class Sender(msgspec.Struct, frozen=True):
    """All that the link of a message depends on."""

    network: str
    author: Author
    hints: Hints


class Thread(msgspec.Struct):
    """One subject's trouble with one issue."""

    last: datetime
    waiting_since: datetime | None = None
    """Since when the customer waits for an answer; None while we wait for the customer."""
    spent: float = 0.0
    """Seconds of business time that earlier waits took."""
    heard: list[str] = []
    """Ids of its messages and answers."""
    solved: bool = False
    alert: Alert | None = None
    draft: Alert | None = None
    """What a complaint below the threshold becomes if nobody answers it."""
    due: dict[str, datetime] = {}
    """Timer → when it goes off: breach, open, change, repeat, step, wake, expire."""
    told_at: datetime | None = None
    """Last notice of this cycle."""
    raised: Priority | None = None
    """A higher priority that waits for the group interval to end."""
    relapse: bool = False
    silenced_until: datetime | None = None
    channel: str = ""
    segment: str = ""
    quoted: str = ""
    """Id of the message whose text the alert shows."""
    wrote: dict[str, list[str]] = {}
    """Author → ids of theirs among `heard` and the alert's evidence."""
    sender: Sender | None = None
    """Of its last message: a changed directory may say otherwise whose it is."""
    home: Link | None = None
    """Of a guest's thread: the link that its alert had before."""
    actions: list[str] = []
    """Ids of the last actions, so that one that comes twice acts once."""

    @property
    def authors(self) -> list[str]:
        return list(self.wrote)

    @property
    def standing(self) -> bool:
        return self.alert is not None and self.alert.state in STANDING

    @property
    def unsolved(self) -> bool:
        return self.standing or (self.alert is None and not self.solved)


class Loose(msgspec.Struct):
    """A message that answers one we have not heard of yet."""

    mention_id: str
    parent: str
    at: datetime
    closes: bool
    thanks: bool
    author: str = ""


class Book(msgspec.Struct):
    """The threads of one author or customer. Bounded: one an issue, dropped when quiet."""

    author: str = ""
    """Of a guest: whose threads these are."""
    threads: dict[str, Thread] = {}
    loose: list[Loose] = []
    past: dict[str, tuple[int, int]] = {}
    """Version and cycle of alerts whose threads were dropped: both only rise."""


class SubjectState(msgspec.Struct):
    """Threads of one subject by issue, and those of authors that a person has linked to it."""

    own: Book = msgspec.field(default_factory=Book)
    guests: dict[str, Book] = {}
    moved_to: str = ""
    """The subject that has this author's threads as a guest."""
    hits: dict[str, datetime] = {}
    """Of a group: customer → when the issue last hit them."""
    writers: list[str] = []
    """Of a customer: authors who know that their messages are here."""
    under: list[str] = []
    """Of an author: customers who have messages of theirs."""
    forgotten: datetime | None = None
    """Of an author: what they wrote up to then is not taken in any more."""

    def books(self) -> list[Book]:
        return [self.own, *self.guests.values()]

    def threads(self) -> list[Thread]:
        return [thread for book in self.books() for thread in book.threads.values()]

    def alert(self, alert_id: str) -> Thread | None:
        found = (t for t in self.threads() if t.alert is not None and t.alert.alert_id == alert_id)
        return next(found, None)


class Changes(msgspec.Struct):
    """What a rule gives: alerts to publish, and what others must be told."""

    alerts: list[Alert] = []
    placed: list[str] = []
    """Ids of messages that now belong to a thread of this subject."""
    hits: list[GroupHit] = []
    links: list[ManualLink] = []
    moved: list[Moved] = []
    belongs: list[Belongs] = []
    gone: list[Gone] = []

    def add(self, more: Changes) -> None:
        for name in self.__struct_fields__:
            getattr(self, name).extend(getattr(more, name))

    def change(self, thread: Thread, *, by: int = 1, **fields: Any) -> None:
        """A new version of the thread's alert."""
        assert thread.alert is not None
        version = thread.alert.version + by
        alert = msgspec.structs.replace(thread.alert, version=version, **fields)
        if alert.redacted:
            alert = msgspec.structs.replace(alert, quiet=True)
        thread.alert = alert
        self.alerts.append(alert)


def digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def remember(thread: Thread, identifier: str, *, author: str = "") -> bool:
    """Whether the thread did not know this id yet. `author`: whose message it is; no answer."""
    if identifier in thread.heard:
        return False
    thread.heard = [*thread.heard, identifier][-HEARD:]
    if author:
        known = {*thread.heard, *(thread.alert.evidence if thread.alert else ())}
        wrote = {who: [i for i in ids if i in known] for who, ids in thread.wrote.items()}
        wrote[author] = [*wrote.get(author, ()), identifier]
        thread.wrote = {who: ids for who, ids in wrote.items() if ids}
    return True
