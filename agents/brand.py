"""BrandEvidence → BrandRisk, for each five minutes of event time in which anything was heard; what
waits or is open when a brand falls silent, time completes (ticks).

And to the fit figures the times of incidents: what customers said then does not count against them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime

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
from agents.silence import Silence
from listener.brand import BrandPolicy, BrandState, lapse, observe
from listener.records import BrandEvidence, BrandRisk, Incident, IncidentWindow
from listener.topics import BRAND_RISK, FIT_EVIDENCE

Watch = Callable[[BrandRisk], None]
"""Told of every figure that is sent."""
Taken = tuple[Incoming, BrandEvidence]


class Figures:
    """What one worker's brand hop works with."""

    def __init__(
        self, brands: Ledger[BrandState], *, policy: BrandPolicy, watch: Watch, silence: Silence
    ) -> None:
        self.brands = brands
        self.policy = policy
        self.watch = watch
        self.silence = silence

    def take(self, incoming: Incoming, evidence: BrandEvidence) -> list[Outgoing]:
        """What a mention gives."""
        state = self.brands.open(evidence.brand, incoming)
        if state is None:
            return []
        before = told(state)
        figures = observe(
            evidence, state, self.policy, path=incoming.source.path, now=incoming.observed_at
        )
        for figure in figures:
            self.watch(figure)
        return published(figures, before, evidence.brand, incoming)

    def again(self, done: list[Taken], brand: str) -> None:
        """The batch's earlier records once more, after one that failed: a brand's state is too
        large to be kept for each of them, and failures are rare."""
        self.brands.drop(brand)
        for incoming, evidence in done:
            if evidence.brand == brand:
                self.take(incoming, evidence)

    def ring(self) -> list[Outgoing]:
        """What time completes where nothing was heard."""
        outputs: list[Outgoing] = []
        for name, partition, now in self.silence.over():
            state = self.brands.wake(name)
            before = told(state)
            figures = lapse(name, state, self.policy, now=now)
            for figure in figures:
                self.watch(figure)
            self.silence.note(name, partition, state)
            outputs += published(figures, before, name)
        return outputs

    def heard(self, done: list[Taken]) -> None:
        """Once a batch: only the newest mention of each brand tells the time."""
        newest: dict[str, tuple[Incoming, datetime]] = {}
        live = [taken for taken in done if not taken[1].backfill]
        for incoming, evidence in sorted(live, key=lambda taken: taken[1].event_time):
            newest[evidence.brand] = incoming, evidence.event_time
        for name, (incoming, at) in newest.items():
            self.silence.hear(name, incoming.partition, at, self.brands.peek(name))


def brand(figures: Figures, *, mask: MaskBytes) -> Hop:
    step: Step[BrandEvidence] = Step(stage="brand", kind=BrandEvidence, mask=mask)

    async def hop(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            await figures.silence.ready()
            outputs = [] if batch else figures.ring()
            done: list[Taken] = []
            for incoming, evidence in step.decode(batch, outputs):
                try:
                    outputs += figures.take(incoming, evidence)
                    done.append((incoming, evidence))
                except Exception as error:  # noqa: BLE001 - no record may stop a partition
                    figures.again(done, evidence.brand)
                    outputs.append(step.refuse(incoming, error))
            figures.heard(done)
            yield Outcome(outputs, figures.brands.written())

    return hop


Known = set[tuple[str, bool]]
"""What the fit figures have heard of incidents: (id, whether it is open)."""


def told(state: BrandState) -> Known:
    return {known(c.incident) for c in state.channels.values() if c.incident}


def known(incident: Incident) -> tuple[str, bool]:
    """What of an incident the fit figures need to hear of anew."""
    return incident.incident_id, incident.open


def published(
    figures: list[BrandRisk], before: Known, brand: str, incoming: Incoming | None = None
) -> list[Outgoing]:
    """The figures, and each incident that opened or closed in them. Without `incoming` time made
    them: they come again after a kill, and a reader upserts."""
    outputs = [send(BRAND_RISK, brand, figure, of=incoming) for figure in figures]
    for index, window in enumerate(windows(figures, before)):
        out = send(FIT_EVIDENCE, brand, window)
        outputs.append(out._replace(origin=_apart(incoming, index) if incoming else None))
    return outputs


def windows(figures: list[BrandRisk], before: Known) -> Iterator[IncidentWindow]:
    """Each incident that opened or closed, for the fit figures: it excuses what was said in it."""
    for figure in figures:
        for channel in figure.channels.values():
            incident = channel.incident
            if incident is None or known(incident) in before:
                continue
            before.add(known(incident))
            yield IncidentWindow(
                brand=figure.brand,
                incident_id=f"{figure.brand}:{incident.incident_id}",
                started_at=incident.started_at,
                ended_at=incident.ended_at,
            )


def _apart(incoming: Incoming, index: int) -> Origin:
    """A path of its own: the customers' events come to the same topic by one of the same name."""
    path, position = incoming.onward(index=index)
    return Origin(f"{path}.incidents", position)
