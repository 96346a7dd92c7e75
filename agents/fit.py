"""FitEvidence → FitSignal, for every segment that the batch touched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime

from agents.flow import Batches, Hop, Incoming, Ledger, MaskBytes, Outcome, Outgoing, Step, send
from listener.fit import FitPolicy, SegmentState, observe, signals
from listener.records import FitEvidence, FitSignal
from listener.topics import FIT_SIGNALS

Population = Callable[[datetime], Mapping[tuple[str, str], int]]
"""Customers of each (segment, tenure band) at a time."""


def fit(
    segments: Ledger[SegmentState], population: Population, *, policy: FitPolicy, mask: MaskBytes
) -> Hop:
    step: Step[FitEvidence] = Step(stage="fit", kind=FitEvidence, mask=mask)

    def one(incoming: Incoming, evidence: FitEvidence) -> None:
        state = segments.open(evidence.segment, incoming)
        if state is not None:
            observe(evidence, state, policy)

    def figures(incoming: Incoming, now: datetime) -> list[Outgoing]:
        found = signals(segments.states(), population(now), policy, now=now)
        return [send(FIT_SIGNALS, key_of(signal), signal, of=incoming) for signal in found]

    async def hop(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            outputs: list[Outgoing] = []
            latest: tuple[datetime, Incoming] | None = None
            for incoming, evidence in step.decode(batch, outputs):
                try:
                    one(incoming, evidence)
                    if latest is None or evidence.event_time > latest[0]:
                        latest = evidence.event_time, incoming
                except Exception as error:  # noqa: BLE001 - no record may stop a partition
                    segments.drop(evidence.segment)
                    outputs.append(step.refuse(incoming, error))
            if latest is not None:
                outputs += figures(latest[1], latest[0])
            yield Outcome(outputs, segments.written())

    return hop


def key_of(signal: FitSignal) -> str:
    return f"{signal.segment}:{signal.dimension}:{signal.band}"
