"""Alert → every sink, once for each state it is in.

The only place that retries a destination. A sink that is away holds the partition back (lag, not
loss); one that refuses a notice sends it to dead letters.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

import msgspec
import stamina

from agents.flow import Batches, Hop, Incoming, Ledger, MaskBytes, Outcome, Outgoing, Step
from listener.errors import DeliveryDelayed, DeliveryRefused
from listener.ports import Sink
from listener.records import Alert


class Delivered(msgspec.Struct):
    """What each sink was last told about one alert: sink name → (version, notice id)."""

    told: dict[str, tuple[int, str]] = {}


Count = Callable[[str, str], None]
"""Called with the sink's name and `delivered`, `delayed` or `refused`."""


def deliver(
    sinks: Sequence[Sink], deliveries: Ledger[Delivered], *, mask: MaskBytes, count: Count
) -> Hop:
    step: Step[Alert] = Step(stage="deliver", kind=Alert, mask=mask)

    async def attempt(sink: Sink, alert: Alert) -> None:
        try:
            await sink.send(alert, key=alert.notice_id)
        except DeliveryDelayed:
            count(sink.name, "delayed")
            raise

    told = 0

    async def tell(sink: Sink, alert: Alert) -> None:
        nonlocal told
        async for trial in stamina.retry_context(
            on=DeliveryDelayed, attempts=None, timeout=None, wait_initial=0.2, wait_max=30.0
        ):
            with trial:
                await attempt(sink, alert)
        told += 1
        count(sink.name, "delivered")

    async def notify(sink: Sink, incoming: Incoming, alert: Alert) -> list[Outgoing]:
        try:
            await tell(sink, alert)
        except DeliveryRefused as error:
            count(sink.name, "refused")
            return [step.refuse(incoming, error)]
        return []

    async def one(incoming: Incoming, alert: Alert) -> list[Outgoing]:
        done = deliveries.open(alert.alert_id, incoming)
        if done is None:
            return []
        refused: list[Outgoing] = []
        for sink in sinks:
            version, notice = done.told.get(sink.name, (0, ""))
            if alert.version > version:
                if notice != alert.notice_id:
                    refused += await notify(sink, incoming, alert)
                done.told[sink.name] = alert.version, alert.notice_id
        return refused

    async def hop(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            outputs: list[Outgoing] = []
            for incoming, alert in step.decode(batch, outputs):
                before = told
                outputs += await one(incoming, alert)
                if told > before:
                    # A kill may repeat the notice under way, under its key, but no other.
                    yield Outcome([], deliveries.written(), last=False)
            yield Outcome(outputs, deliveries.written())

    return hop
