"""Linked and Action → Alert; and the customer's part in the fit figures, stage and help.

Both need the state of one subject, so they share its record and its hop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

import msgspec

from agents.flow import Batches, Hop, Incoming, Ledger, MaskBytes, Outcome, Outgoing, Step, send
from listener.escalation import EscalationPolicy, SubjectState, act, escalate
from listener.fit import CustomerState, FitPolicy, Heard, hear
from listener.records import Action, Linked
from listener.topics import ALERTS, FIT_EVIDENCE, HELP_OFFERS, STAGES


class Subject(msgspec.Struct):
    """All that is kept of one subject."""

    escalation: SubjectState = msgspec.field(default_factory=SubjectState)
    fit: CustomerState = msgspec.field(default_factory=CustomerState)


def escalating(
    subjects: Ledger[Subject],
    *,
    escalation: EscalationPolicy,
    fit: FitPolicy,
    mask: MaskBytes,
) -> Hop:
    step: Step[Linked | Action] = Step(stage="escalate", kind=Linked | Action, mask=mask)

    def take(incoming: Incoming, linked: Linked, subject: Subject) -> list[Outgoing]:
        now = linked.mention.event_time
        breached = broke_sla(linked, subject.escalation, escalation, now=now)
        alerts = escalate(linked, subject.escalation, escalation, now=now)
        heard = hear(
            linked,
            subject.fit,
            fit,
            unresolved=unresolved(subject.escalation),
            breached=breached,
            now=now,
        )
        return [*(send(ALERTS, a.alert_id, a, of=incoming) for a in alerts), *said(heard, incoming)]

    def one(incoming: Incoming, record: Linked | Action) -> list[Outgoing]:
        subject = subjects.open(record.subject, incoming)
        if subject is None:
            return []
        if isinstance(record, Linked):
            return take(incoming, record, subject)
        alerts = act(record, subject.escalation, escalation)
        return [send(ALERTS, a.alert_id, a, of=incoming) for a in alerts]

    async def hop(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            outputs: list[Outgoing] = []
            for incoming, record in step.decode(batch, outputs):
                try:
                    outputs += one(incoming, record)
                except Exception as error:  # noqa: BLE001 - no record may stop a partition
                    subjects.drop(record.subject)
                    outputs.append(step.refuse(incoming, error))
            yield Outcome(outputs, subjects.written())

    return hop


def said(heard: Heard, incoming: Incoming) -> list[Outgoing]:
    """What a message says of its customer, on the topics that it belongs to."""
    events = enumerate(heard.events)
    found = [send(FIT_EVIDENCE, e.segment, e, of=incoming, index=n) for n, e in events]
    if heard.stage is not None:
        found.append(send(STAGES, heard.stage.subject, heard.stage, of=incoming))
    if heard.offer is not None:
        found.append(send(HELP_OFFERS, heard.offer.customer_id, heard.offer, of=incoming))
    return found


def unresolved(state: SubjectState) -> int:
    """Threads with an alert that nobody has resolved."""
    alerts = [thread.alert for thread in state.threads.values()]
    return sum(alert is not None and alert.resolved_at is None for alert in alerts)


def broke_sla(
    linked: Linked, state: SubjectState, policy: EscalationPolicy, *, now: datetime
) -> bool:
    """Whether the customer has waited on this thread for longer than we promise."""
    labels = linked.judgement.labels
    thread = state.threads.get(labels.top_issue) if labels else None
    if thread is None or thread.waiting_since is None:
        return False
    return (now - thread.waiting_since).total_seconds() / 60 > policy.answer_minutes
