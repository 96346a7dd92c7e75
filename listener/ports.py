"""What the agents need from the outside, as protocols of one to three verbs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from listener.records import (
    Action,
    Alert,
    DeadLetter,
    Digest,
    Forget,
    Identity,
    Judgement,
    Mention,
)


class Source(Protocol):
    """Called by normalise for every raw record; pure, may not block.

    Raises InvalidMessage with a field path when the payload can never become a mention.
    """

    def __call__(self, payload: bytes, *, observed_at: datetime) -> Mention | Forget: ...


class Judge(Protocol):
    """Called by classify on the inference thread; blocks for the time of one batch."""

    def judge(self, texts: Sequence[str], langs: Sequence[str | None]) -> list[Judgement]:
        """One judgement a text, in order. Never raises for any text."""
        ...


class Directory(Protocol):
    """Called by link for every mention; memory only, may not block."""

    version: int
    """Rises with every change."""

    def find(self, identifier: str, customer_id: str | None = None) -> Identity | None:
        """The record of an identifier: the one of this customer, or of its only owner."""
        ...


class Sink(Protocol):
    """Called by deliver, once for every notice and attempt.

    Raises DeliveryDelayed if it may work later and DeliveryRefused if it never will.
    `key` is the same for every attempt of the same notice, so that a receiver can drop repeats.
    Returns the destination's own name of its message, if it has one; the next notice of the same
    alert brings it back as `ref`, so that the message can be updated in place.
    """

    name: str

    async def send(self, alert: Alert, *, key: str, ref: str | None = None) -> str | None: ...

    async def close(self) -> None: ...


class Reporter(Protocol):
    """A sink that also takes digests. Called by `listener digest`; raises as `Sink` does."""

    name: str

    async def report(self, digest: Digest, *, key: str) -> None: ...

    async def close(self) -> None: ...


class Desk(Protocol):
    """Called by the page when a person acts; may wait for the broker.

    Raises BrokerError where the broker does not take it.
    """

    async def act(self, action: Action) -> None:
        """Returns once the broker has it; what comes of it comes back on the alerts' topic."""
        ...

    async def replay(self, key: bytes | None, letter: DeadLetter) -> bool:
        """Sends the original again; False where it is whole nowhere any more."""
        ...


class Explainer(Protocol):
    """Called by the page for one text; off the event loop, a second at most."""

    async def explain(self, text: str, lang: str | None) -> list[dict[str, Any]]:
        """`head`, `label`, `p` and `words` of each label; empty where nothing can be said."""
        ...


class Progress(Protocol):
    """Called by the page's health; memory only."""

    def lag(self) -> dict[str, int]:
        """Topic → records that the read model has yet to take."""
        ...

    def rates(self) -> dict[str, float]:
        """Topic → records a second, over the last minute."""
        ...


Clock = Callable[[], datetime]
