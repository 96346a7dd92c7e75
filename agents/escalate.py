"""Linked and Action → Alert; and the customer's part in the fit figures.

Both need the state of one subject, so they share its record and its hop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from agents.flow import Batches, Hop, Incoming, Ledger, MaskBytes, Outcome, Outgoing, Step, send
from listener.escalation import EscalationPolicy, SubjectState, act, escalate
from listener.fit import CustomerState, FitPolicy, evidence_of
from listener.records import Action, Linked
from listener.topics import ALERTS, FIT_EVIDENCE


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

    def hear(incoming: Incoming, linked: Linked, subject: Subject) -> list[Outgoing]:
        now = linked.mention.event_time
        alerts = escalate(linked, subject.escalation, escalation, now=now)
        parts = evidence_of(linked, subject.fit, fit)
        return [
            *(send(ALERTS, a.alert_id, a, of=incoming) for a in alerts),
            *(
                send(FIT_EVIDENCE, part.segment, part, of=incoming, index=index)
                for index, part in enumerate(parts)
            ),
        ]

    def one(incoming: Incoming, record: Linked | Action) -> list[Outgoing]:
        subject = subjects.open(record.subject, incoming)
        if subject is None:
            return []
        if isinstance(record, Linked):
            return hear(incoming, record, subject)
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
