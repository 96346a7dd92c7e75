"""BrandEvidence → BrandRisk, one for each brand of a batch."""

from __future__ import annotations

from collections.abc import AsyncIterator

from agents.flow import Batches, Hop, Incoming, Ledger, MaskBytes, Outcome, Outgoing, Step, send
from listener.brand import BrandPolicy, BrandState, observe, risk
from listener.records import BrandEvidence
from listener.topics import BRAND_RISK


def brand(brands: Ledger[BrandState], *, policy: BrandPolicy, mask: MaskBytes) -> Hop:
    step: Step[BrandEvidence] = Step(stage="brand", kind=BrandEvidence, mask=mask)

    def one(incoming: Incoming, evidence: BrandEvidence) -> None:
        state = brands.open(evidence.brand, incoming)
        if state is not None:
            observe(evidence, state, policy)

    async def hop(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            outputs: list[Outgoing] = []
            last: dict[str, Incoming] = {}
            for incoming, evidence in step.decode(batch, outputs):
                try:
                    one(incoming, evidence)
                    last[evidence.brand] = incoming
                except Exception as error:  # noqa: BLE001 - no record may stop a partition
                    brands.drop(evidence.brand)
                    outputs.append(step.refuse(incoming, error))
            for name, incoming in last.items():
                figure = risk(brands.peek(name), policy, brand=name)
                outputs.append(send(BRAND_RISK, name, figure, of=incoming))
            yield Outcome(outputs, brands.written())

    return hop
