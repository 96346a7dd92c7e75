"""Linked, Action and events of a subject → Alert; and the customer's fit figures, stage and help.

All need the state of one subject, so they share its record and its hop. Ticks fire what is due.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import Final

import msgspec

from agents.flow import Batches, Hop, Incoming, Ledger, MaskBytes, Outcome, Outgoing, Step, send
from agents.relinking import Relinking
from agents.timetable import Owned, Pace, StreamClock, Timetable
from listener.errors import InvalidMessage
from listener.escalation import (
    Changes,
    EscalationPolicy,
    Given,
    SubjectState,
    act,
    answer,
    arrive,
    belong,
    broke_sla,
    hear,
    next_due,
    redact,
    relink,
    strike,
    tick,
)
from listener.fit import CustomerState, FitPolicy, Heard, answered, learn
from listener.records import (
    Action,
    Alert,
    Belongs,
    FitEvidence,
    Gone,
    GroupHit,
    Linked,
    Moved,
    Reply,
    ThreadOf,
)
from listener.topics import (
    ACTIONS,
    ALERTS,
    FIT_EVIDENCE,
    HELP_OFFERS,
    LINKED,
    MANUAL_LINKS,
    STAGES,
    SUBJECT_EVENTS,
    THREADS,
    Topic,
)

AT_ONCE: Final = 500
"""Subjects that one tick looks at, so that a batch stays small after a long pause."""

Known = Linked | Action | Reply | GroupHit | Moved | Belongs | Gone
Incidents = Callable[[], frozenset[tuple[str, str]]]
"""(brand, issue) of the incidents that are open."""
Refuse = Callable[[Incoming, Exception], Outgoing]
Judged = Callable[[Alert, str], None]
"""Called with an alert that a person judged `right` or `wrong`."""


class Subject(msgspec.Struct):
    """All that is kept of one subject."""

    escalation: SubjectState = msgspec.field(default_factory=SubjectState)
    fit: CustomerState = msgspec.field(default_factory=CustomerState)
    pace: Pace | None = None


class Escalation:
    """What one worker's escalate hop works with."""

    def __init__(
        self,
        subjects: Ledger[Subject],
        *,
        policy: EscalationPolicy,
        fit: FitPolicy,
        clock: StreamClock,
        incidents: Incidents = frozenset,
        owned: Owned = lambda: None,
        judged: Judged = lambda alert, verdict: None,
        relinking: Relinking | None = None,
    ) -> None:
        self.subjects = subjects
        self.policy = policy
        self.fit = fit
        self.clock = clock
        self.incidents = incidents
        self.judged = judged
        self.relinking = relinking
        self.timetable: Timetable[Subject] = Timetable(
            subjects,
            due=lambda subject: next_due(subject.escalation),
            owned=owned,
            seen=lambda subject: clock.recall(subject.pace),
        )

    def given(self, now: datetime) -> Given:
        return Given(policy=self.policy, now=now, incidents=self.incidents())

    def ring(self) -> list[Outgoing]:
        """The alerts whose time has come."""
        outputs: list[Outgoing] = []
        now = self.clock.now()
        for key in self.timetable.take(now, most=AT_ONCE):
            subject = self.subjects.wake(key)
            changes = tick(subject.escalation, self.given(now))
            self.timetable.note(key, subject)
            outputs += [send(ALERTS, alert.alert_id, alert) for alert in changes.alerts]
        return outputs + self._relinked(now)

    def _relinked(self, now: datetime) -> list[Outgoing]:
        """Alerts whose customer is another one, since the directory has changed."""
        outputs: list[Outgoing] = []
        relinking = self.relinking
        for key in relinking.due(self.timetable.keys, most=AT_ONCE) if relinking else ():
            assert relinking is not None
            before = self.subjects.peek(key).escalation
            trial = msgspec.json.decode(msgspec.json.encode(before), type=SubjectState)
            changes = relink(key, trial, relinking.resolve, at=now)
            if changes.alerts or changes.moved:
                subject = self.subjects.wake(key)
                subject.escalation = trial
                self.timetable.note(key, subject)
                outputs += [send(ALERTS, alert.alert_id, alert) for alert in changes.alerts]
                outputs += [send(SUBJECT_EVENTS, m.subject, m) for m in changes.moved]
        return outputs

    def take(self, incoming: Incoming, record: Known, *, refuse: Refuse) -> list[Outgoing]:
        """What a record gives. An action that makes no sense is refused, and changes nothing."""
        subject = self.subjects.open(record.subject, incoming)
        if subject is None:
            return []
        state = subject.escalation
        if state.moved_to and not _stays(record):
            return [_forwarded(record, state.moved_to, incoming)]
        given = self.given(self._now(record, subject))
        changes = tick(state, given)
        try:
            outputs = self._apply(record, subject, given, changes, incoming)
        except InvalidMessage as error:
            outputs = [refuse(incoming, error)]
        self.timetable.note(record.subject, subject)
        return [*_published(changes, record.subject, given.now, incoming), *outputs]

    def _now(self, record: Known, subject: Subject) -> datetime:
        if isinstance(record, Linked):
            subject.pace = self.clock.hear(record.mention.observed_at)
            return record.mention.observed_at
        if isinstance(record, Reply | GroupHit):
            return record.observed_at
        return self.clock.now()

    def _apply(
        self, record: Known, subject: Subject, given: Given, changes: Changes, incoming: Incoming
    ) -> list[Outgoing]:
        state = subject.escalation
        if isinstance(record, Linked):
            breached = broke_sla(record, state, self.policy)
            changes.add(hear(record, state, given))
            learned = self._learn(record, subject, breached=breached)
            if learned.asks and record.mention.mention_id not in changes.placed:
                changes.placed.append(record.mention.mention_id)
            return [*_answered(record, incoming), *_said(learned, incoming)]
        if isinstance(record, Action):
            self._act(record, state, given, changes)
        elif isinstance(record, Reply):
            changes.add(answer(record, state, given))
            return list(_counted(answered(record, subject.fit, self.fit), incoming))
        elif isinstance(record, GroupHit):
            changes.add(strike(record, state, given))
        elif isinstance(record, Moved):
            changes.add(arrive(record, state))
        elif isinstance(record, Belongs):
            changes.add(belong(record, state))
        else:
            changes.add(redact(record, state))
        return []

    def _act(self, action: Action, state: SubjectState, given: Given, changes: Changes) -> None:
        found = act(action, state, given)
        changes.add(found)
        if found.alerts and action.kind in ("resolve", "wrong"):
            self.judged(found.alerts[-1], "wrong" if action.kind == "wrong" else "right")

    def _learn(self, linked: Linked, subject: Subject, *, breached: bool) -> Heard:
        open_threads = sum(thread.standing for thread in subject.escalation.threads())
        return learn(
            linked,
            subject.fit,
            self.fit,
            unresolved=open_threads,
            breached=breached,
            now=linked.mention.event_time,
        )


def escalating(escalation: Escalation, *, mask: MaskBytes) -> Hop:
    step: Step[Known] = Step(stage="escalate", kind=Known, mask=mask)
    subjects = escalation.subjects

    async def hop(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            await escalation.timetable.ready()
            outputs = [] if batch else escalation.ring()
            for incoming, record in step.decode(batch, outputs):
                try:
                    outputs += escalation.take(incoming, record, refuse=step.refuse)
                except Exception as error:  # noqa: BLE001 - no record may stop a partition
                    subjects.drop(record.subject)
                    outputs.append(step.refuse(incoming, error))
            yield Outcome(outputs, subjects.written())

    return hop


def _published(
    changes: Changes, subject: str, now: datetime, incoming: Incoming
) -> Iterator[Outgoing]:
    for index, alert in enumerate(changes.alerts):
        yield send(ALERTS, alert.alert_id, alert, of=incoming, index=index)
    for identifier in changes.placed:
        placed = ThreadOf(mention_id=identifier, subject=subject, at=now)
        yield send(THREADS, identifier, placed, of=incoming)
    events: list[GroupHit | Moved | Belongs] = [*changes.hits, *changes.moved, *changes.belongs]
    for event in events:
        yield send(SUBJECT_EVENTS, event.subject, event, of=incoming)
    for index, gone in enumerate(changes.gone):
        # Several may go to one group.
        yield send(SUBJECT_EVENTS, gone.subject, gone, of=incoming, index=index)
    for link in changes.links:
        yield send(MANUAL_LINKS, link.author, link, of=incoming)


def _said(heard: Heard, incoming: Incoming) -> Iterator[Outgoing]:
    """What a message says of its customer, on the topics that it belongs to."""
    yield from _counted(heard.events, incoming)
    if heard.stage is not None:
        yield send(STAGES, heard.stage.subject, heard.stage, of=incoming)
    if heard.offer is not None:
        yield send(HELP_OFFERS, heard.offer.customer_id, heard.offer, of=incoming)


def _counted(events: list[FitEvidence], incoming: Incoming) -> Iterator[Outgoing]:
    for index, event in enumerate(events):
        yield send(FIT_EVIDENCE, event.segment, event, of=incoming, index=index)


def _answered(linked: Linked, incoming: Incoming) -> Iterator[Outgoing]:
    """The brand's own message goes to the thread of the message that it answers."""
    mention = linked.mention
    answers = mention.parent or mention.root
    if mention.from_brand and answers:
        reply = Reply(
            mention_id=mention.mention_id,
            answers=answers,
            author=mention.author.handle or mention.author.id,
            at=mention.event_time,
            observed_at=mention.observed_at,
        )
        yield send(THREADS, answers, reply, of=incoming)


def _stays(record: Known) -> bool:
    """What concerns the author's own state, wherever the threads are."""
    whole = isinstance(record, Gone) and record.mention_id is None
    return whole or isinstance(record, Moved | Belongs)


def _forwarded(record: Known, subject: str, incoming: Incoming) -> Outgoing:
    """A person has said whose messages these are: there they go."""
    topics: dict[type, Topic] = {Linked: LINKED, Action: ACTIONS}
    topic = topics.get(type(record), SUBJECT_EVENTS)
    return send(topic, subject, msgspec.structs.replace(record, subject=subject), of=incoming)
