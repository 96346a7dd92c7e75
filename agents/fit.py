"""FitEvidence → FitSignal and FitIndex, once in each hour of event time, where they changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime

from agents.flow import Batches, Hop, Incoming, Ledger, MaskBytes, Outcome, Outgoing, Step, send
from listener.fit import FitPolicy, SegmentState, due, excuse, indices, know, observe, signals
from listener.records import FitEvidence, FitIndex, FitSignal, IncidentWindow
from listener.topics import FIT_INDEX, FIT_SIGNALS

Population = Callable[[datetime], Mapping[tuple[str, str], int]]
"""Customers of each (segment, tenure band) at a time."""
ALL = ""
"""Key of the state that stands for all segments: incidents, and what was last said."""


def fit(
    segments: Ledger[SegmentState], population: Population, *, policy: FitPolicy, mask: MaskBytes
) -> Hop:
    step: Step[FitEvidence | IncidentWindow] = Step(
        stage="fit", kind=FitEvidence | IncidentWindow, mask=mask
    )

    def excused(incoming: Incoming, window: IncidentWindow, everyone: SegmentState) -> None:
        know(window, everyone)
        for name in segments.states():
            state = segments.open(name, incoming) if name != ALL else None
            if state is not None:
                excuse(window, state)

    def figures(incoming: Incoming, everyone: SegmentState, now: datetime) -> list[Outgoing]:
        people = population(now)
        found = signals(segments.states(), people, policy, now=now)
        overall = indices(found, people, policy, now=now)
        return [
            *(send(FIT_SIGNALS, key_of(s), s, of=incoming) for s in found if news(s, everyone)),
            *(send(FIT_INDEX, i.segment, i, of=incoming) for i in overall if news(i, everyone)),
        ]

    def one(incoming: Incoming, record: FitEvidence | IncidentWindow) -> list[Outgoing]:
        everyone = segments.open(ALL, incoming)
        if everyone is None:
            return []
        if isinstance(record, IncidentWindow):
            excused(incoming, record, everyone)
            return []
        hour = due(record.event_time, everyone)
        outputs = figures(incoming, everyone, hour) if hour is not None else []
        state = segments.open(record.segment, incoming)
        if state is not None:
            observe(record, state, everyone, policy)
        return outputs

    def again(done: list[tuple[Incoming, FitEvidence | IncidentWindow]]) -> None:
        """The batch's earlier records once more, after one that failed: a segment's state is too
        large to be kept for each of them, and failures are rare. An incident touches all."""
        for name in segments.states():
            segments.drop(name)
        for incoming, record in done:
            one(incoming, record)

    async def hop(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            outputs: list[Outgoing] = []
            done: list[tuple[Incoming, FitEvidence | IncidentWindow]] = []
            for incoming, record in step.decode(batch, outputs):
                try:
                    outputs += one(incoming, record)
                    done.append((incoming, record))
                except Exception as error:  # noqa: BLE001 - no record may stop a partition
                    again(done)
                    outputs.append(step.refuse(incoming, error))
            yield Outcome(outputs, segments.written())

    return hop


def key_of(signal: FitSignal) -> str:
    return f"{signal.segment}:{signal.dimension}:{signal.band}"


def news(record: FitSignal | FitIndex, everyone: SegmentState) -> bool:
    """Whether it says another thing than last time: a rate that decays by a hair is none."""
    if isinstance(record, FitSignal):
        key, said = key_of(record), f"{record.status} {record.rate:.3f} {record.n}"
    else:
        key, said = record.segment, f"{record.index:.0f} {record.customers}"
    if everyone.told.get(key) == said:
        return False
    everyone.told[key] = said
    return True
