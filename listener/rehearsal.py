"""Escalation in process, without a broker: the hops' own code, with time as the records have it.

What `listener backtest` and the benchmarks play past messages through. Same input and policy, same
alerts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Final

from agents.escalate import Escalation, Subject
from agents.escalate import Known as SubjectRecord
from agents.flow import Incoming, Ledger, Outgoing, refuse, send
from agents.threads import Known as ThreadRecord
from agents.threads import Place, Threads
from agents.timetable import StreamClock
from listener.brand import BrandState, observe, risk, weigh
from listener.codec import decode
from listener.incidents import Incidents
from listener.policy import Policy
from listener.records import Action, Alert, DeadLetter, Linked
from listener.sources.masking import mask_bytes
from listener.topics import (
    ACTIONS,
    ALERTS,
    DEAD_LETTERS,
    LINKED,
    STATE_SUBJECTS,
    STATE_THREADS,
    SUBJECT_EVENTS,
    THREADS,
)

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIGURES: Final = timedelta(minutes=1)
"""Stream time between two looks at a brand's figures."""


class Rehearsal:
    """Feed it linked messages in order of time; `published` is every alert with its time."""

    def __init__(self, policy: Policy, table: MutableMapping[bytes, bytes] | None = None) -> None:
        """`table`: the state of an earlier one, which it goes on with."""
        self.policy = policy
        self.now = BEGINNING
        self.published: list[tuple[datetime, Alert]] = []
        self.letters: list[DeadLetter] = []
        self.table: MutableMapping[bytes, bytes] = {} if table is None else table
        self._offset = 0
        self._queue: deque[Outgoing] = deque()
        self._incidents = Incidents()
        self._brands: dict[str, BrandState] = {}
        self._looked: dict[str, datetime] = {}
        self._places: Ledger[Place] = Ledger({}, topic=STATE_THREADS, kind=Place)
        self._subjects: Ledger[Subject] = Ledger(self.table, topic=STATE_SUBJECTS, kind=Subject)
        self._escalation = Escalation(
            self._subjects,
            policy=policy.escalation,
            fit=policy.fit,
            clock=StreamClock(lambda: self.now),
            incidents=self._incidents,
        )
        self._threads = Threads(
            self._places, days=policy.escalation.thread_days, clock=lambda: self.now
        )

    def feed(self, linked: Linked) -> None:
        """One message, at the time it was seen; what was due before goes off first."""
        self.pass_to(linked.mention.observed_at)
        self._weigh(linked)
        self._run(send(LINKED, linked.subject, linked))

    def act(self, action: Action) -> None:
        self._run(send(ACTIONS, action.subject, action))

    def pass_to(self, now: datetime) -> None:
        """Time passes; each timer goes off at its own time."""
        timetable = self._escalation.timetable
        while (due := timetable.next()) is not None and due <= now:
            self.now = max(due, self.now)
            for output in self._escalation.ring():
                self._publish(output)
        self.now = max(now, self.now)
        self._threads.sweep()
        self._write()

    def _weigh(self, linked: Linked) -> None:
        for part in weigh(linked, self.policy.brand):
            state = self._brands.setdefault(part.brand, BrandState())
            observe(part, state, self.policy.brand)
            if self.now - self._looked.get(part.brand, BEGINNING) >= FIGURES:
                self._looked[part.brand] = self.now
                self._incidents.put(risk(state, self.policy.brand, brand=part.brand))

    def _run(self, first: Outgoing) -> None:
        self._queue.append(first)
        while self._queue:
            self._step(self._queue.popleft())
        self._write()

    def _step(self, record: Outgoing) -> None:
        self._offset += 1
        incoming = Incoming(
            record.topic, 0, self._offset, record.key, record.value, self.now, record.origin
        )
        if record.topic == THREADS.name:
            placed = decode(record.value, ThreadRecord)
            outputs = self._threads.take(incoming, placed)
        else:
            known = decode(record.value, SubjectRecord)
            outputs = self._escalation.take(incoming, known, refuse=_refuse)
        for output in outputs:
            self._publish(output)

    def _publish(self, output: Outgoing) -> None:
        if output.topic == ALERTS.name:
            self.published.append((self.now, decode(output.value, Alert)))
        elif output.topic == DEAD_LETTERS.name:
            self.letters.append(decode(output.value, DeadLetter))
        elif output.topic in (LINKED.name, ACTIONS.name, SUBJECT_EVENTS.name, THREADS.name):
            self._queue.append(output)

    def _write(self) -> None:
        self._subjects.written()
        self._places.written()


def _refuse(incoming: Incoming, error: Exception) -> Outgoing:
    return refuse(incoming, error, stage="escalate", mask=mask_bytes)


def notices(published: list[tuple[datetime, Alert]]) -> list[tuple[datetime, Alert]]:
    """Those of which somebody is told, as deliver decides it."""
    told: dict[str, str] = {}
    found: list[tuple[datetime, Alert]] = []
    for at, alert in published:
        if alert.notifies and told.get(alert.alert_id) != alert.notice_id:
            told[alert.alert_id] = alert.notice_id
            found.append((at, alert))
    return found
