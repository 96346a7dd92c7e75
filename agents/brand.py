"""BrandEvidence → BrandRisk, for each five minutes of event time in which anything was heard.

And to the fit figures the times of incidents: what customers said then does not count against them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from agents.flow import (
    Batches,
    Hop,
    Incoming,
    Ledger,
    MaskBytes,
    Origin,
    Outcome,
    Outgoing,
    Step,
    send,
)
from listener.brand import BrandPolicy, BrandState, observe
from listener.records import BrandEvidence, BrandRisk, Incident, IncidentWindow
from listener.topics import BRAND_RISK, FIT_EVIDENCE

Watch = Callable[[BrandRisk], None]
"""Told of every figure that is sent."""


def brand(brands: Ledger[BrandState], *, policy: BrandPolicy, mask: MaskBytes, watch: Watch) -> Hop:
    step: Step[BrandEvidence] = Step(stage="brand", kind=BrandEvidence, mask=mask)

    def one(incoming: Incoming, evidence: BrandEvidence) -> list[Outgoing]:
        state = brands.open(evidence.brand, incoming)
        if state is None:
            return []
        before = {known(c.incident) for c in state.channels.values() if c.incident}
        figures = observe(
            evidence, state, policy, path=incoming.source.path, now=incoming.observed_at
        )
        for figure in figures:
            watch(figure)
        return [
            *(send(BRAND_RISK, evidence.brand, figure, of=incoming) for figure in figures),
            *windows(figures, before, incoming),
        ]

    def again(done: list[tuple[Incoming, BrandEvidence]], brand: str) -> None:
        """The batch's earlier records once more, after one that failed: a brand's state is too
        large to be kept for each of them, and failures are rare."""
        for incoming, evidence in done:
            if evidence.brand == brand:
                one(incoming, evidence)

    async def hop(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            outputs: list[Outgoing] = []
            done: list[tuple[Incoming, BrandEvidence]] = []
            for incoming, evidence in step.decode(batch, outputs):
                try:
                    outputs += one(incoming, evidence)
                    done.append((incoming, evidence))
                except Exception as error:  # noqa: BLE001 - no record may stop a partition
                    brands.drop(evidence.brand)
                    again(done, evidence.brand)
                    outputs.append(step.refuse(incoming, error))
            yield Outcome(outputs, brands.written())

    return hop


def known(incident: Incident) -> tuple[str, bool]:
    """What of an incident the fit figures need to hear of anew."""
    return incident.incident_id, incident.open


def windows(
    figures: list[BrandRisk], before: set[tuple[str, bool]], incoming: Incoming
) -> list[Outgoing]:
    """Each incident that opened or closed, for the fit figures: it excuses what was said in it."""
    found: list[Outgoing] = []
    for figure in figures:
        for channel in figure.channels.values():
            incident = channel.incident
            if incident is None or known(incident) in before:
                continue
            before.add(known(incident))
            window = IncidentWindow(
                brand=figure.brand,
                incident_id=f"{figure.brand}:{incident.incident_id}",
                started_at=incident.started_at,
                ended_at=incident.ended_at,
            )
            out = send(FIT_EVIDENCE, figure.brand, window, of=incoming, index=len(found))
            found.append(out._replace(origin=_apart(incoming, len(found))))
    return found


def _apart(incoming: Incoming, index: int) -> Origin:
    """A path of its own: the customers' events come to the same topic by one of the same name."""
    path, position = incoming.onward(index=index)
    return Origin(f"{path}.incidents", position)
