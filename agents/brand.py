"""BrandEvidence → BrandRisk, for each five minutes of event time in which anything was heard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from agents.flow import Batches, Hop, Incoming, Ledger, MaskBytes, Outcome, Outgoing, Step, send
from listener.brand import BrandPolicy, BrandState, observe
from listener.records import BrandEvidence, BrandRisk
from listener.topics import BRAND_RISK

Watch = Callable[[BrandRisk], None]
"""Told of every figure that is sent."""


def brand(brands: Ledger[BrandState], *, policy: BrandPolicy, mask: MaskBytes, watch: Watch) -> Hop:
    step: Step[BrandEvidence] = Step(stage="brand", kind=BrandEvidence, mask=mask)

    def one(incoming: Incoming, evidence: BrandEvidence) -> list[Outgoing]:
        state = brands.open(evidence.brand, incoming)
        if state is None:
            return []
        figures = observe(
            evidence, state, policy, path=incoming.source.path, now=incoming.observed_at
        )
        for figure in figures:
            watch(figure)
        return [send(BRAND_RISK, evidence.brand, figure, of=incoming) for figure in figures]

    async def hop(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            outputs: list[Outgoing] = []
            for incoming, evidence in step.decode(batch, outputs):
                try:
                    outputs += one(incoming, evidence)
                except Exception as error:  # noqa: BLE001 - no record may stop a partition
                    brands.drop(evidence.brand)
                    outputs.append(step.refuse(incoming, error))
            yield Outcome(outputs, brands.written())

    return hop
