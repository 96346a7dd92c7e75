"""One subject at the desk: says things, answers, acts and lets time pass."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from listener.escalation import (
    Changes,
    EscalationPolicy,
    Given,
    SubjectState,
    act,
    answer,
    hear,
    next_due,
    redact,
    tick,
)
from listener.records import Action, Alert, Author, Gone, Labels, Reply
from tests.worlds import NOW, labels, linked


def calm(**flags: Any) -> Labels:
    return labels(negative=0.1, complaint=0.0, severity=0, **flags)


def thankful() -> Labels:
    plain = calm()
    return msgspec.structs.replace(plain, sentiment={"pos": 0.9, "neu": 0.05, "neg": 0.05})


MILD = labels(severity=4, repeat=0.9)
"""P3."""
ANGRY = labels(severity=4, churn=0.95, repeat=0.9)
"""P3; P2 by a LOUD author."""
LOUD = Author(id="ann", handle="ann", followers=100_000)
WORST = labels(severity=4, churn=1.0, repeat=1.0, legal=0.95)
"""P1."""


class Desk:
    """Everything that is published and who would be told, in order."""

    def __init__(self, policy: EscalationPolicy | None = None) -> None:
        self.policy = policy or EscalationPolicy()
        self.state = SubjectState()
        self.now = NOW
        self.incidents: frozenset[tuple[str, str]] = frozenset()
        self.published: list[Alert] = []
        self.notices: list[Alert] = []
        self.changes = Changes()
        self._number = 0
        self._told: dict[str, str] = {}

    @property
    def given(self) -> Given:
        return Given(policy=self.policy, now=self.now, incidents=self.incidents)

    @property
    def alert(self) -> Alert:
        return self.published[-1]

    def say(self, judged: Labels | None = None, **changes: Any) -> str:
        """A message of the customer; returns its id."""
        self._number += 1
        record = linked(self._number, judged=judged or ANGRY, at=self.now, **changes)
        self._take(tick(self.state, self.given))
        self._take(hear(record, self.state, self.given))
        return record.mention.mention_id

    def answer(self, mention_id: str, *, at: datetime | None = None) -> str:
        """The brand answers; returns the answer's id."""
        self._number += 1
        reply = Reply(
            mention_id=f"x:{self._number}",
            answers=mention_id,
            author="Acme",
            at=at or self.now,
            observed_at=self.now,
        )
        self._take(tick(self.state, self.given))
        self._take(answer(reply, self.state, self.given))
        return reply.mention_id

    def act(self, kind: str, **changes: Any) -> None:
        self._number += 1
        fields: dict[str, Any] = {
            "action_id": f"a{self._number}",
            "alert_id": self.published[-1].alert_id if self.published else "none",
            "subject": "x:ann",
            "kind": kind,
            "actor": "me",
            "at": self.now,
        }
        self._take(tick(self.state, self.given))
        self._take(act(Action(**(fields | changes)), self.state, self.given))

    def delete(self, mention_id: str | None) -> None:
        self._take(redact(Gone(subject="x:ann", mention_id=mention_id, at=self.now), self.state))

    def wait(self, *, looks: int = 1, **span: float) -> None:
        """Time passes, and the timers are looked at so many times."""
        start, whole = self.now, timedelta(**span)
        for look in range(1, looks + 1):
            self.now = start + whole * look / looks
            self._take(tick(self.state, self.given))

    def restart(self) -> None:
        """The state is written and read again."""
        due = next_due(self.state)
        self.state = msgspec.json.decode(msgspec.json.encode(self.state), type=SubjectState)
        assert next_due(self.state) == due

    def _take(self, changes: Changes) -> None:
        self.changes = changes
        for alert in changes.alerts:
            self.published.append(alert)
            # As deliver has it: a notice that differs from what was told last.
            if alert.notifies and self._told.get(alert.alert_id) != alert.notice_id:
                self._told[alert.alert_id] = alert.notice_id
                self.notices.append(alert)

    def told(self) -> list[str]:
        return [f"{a.state} {a.priority}" for a in self.notices]
