"""Raw payload → Mention or Forget, or a dead letter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

from agents.flow import Batches, Hop, Incoming, MaskBytes, Outcome, Outgoing, refuse, send
from listener.errors import InvalidMessage
from listener.ports import Source
from listener.records import Forget, Mention
from listener.topics import MENTIONS

Prepare = Callable[[Mention], Mention]


def normalise(sources: Mapping[str, Source], prepare: Prepare, *, mask: MaskBytes) -> Hop:
    """`sources` by raw topic. Authors who opted out are dropped at the door."""

    def one(incoming: Incoming) -> Outgoing | None:
        if incoming.value is None:
            raise InvalidMessage("empty value (a tombstone) where a payload was expected")
        record = sources[incoming.topic](incoming.value, observed_at=incoming.observed_at)
        if isinstance(record, Forget):
            return send(MENTIONS, _forget_key(record), record, of=incoming)
        if record.author.opted_out:
            return None
        mention = prepare(record)
        return send(MENTIONS, mention.author_key, mention, of=incoming)

    async def hop(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            outputs: list[Outgoing] = []
            for incoming in batch:
                try:
                    sent = one(incoming)
                except Exception as error:  # noqa: BLE001 - no payload may stop a partition
                    sent = refuse(incoming, error, stage="normalise", mask=mask)
                if sent is not None:
                    outputs.append(sent)
            yield Outcome(outputs)

    return hop


def _forget_key(record: Forget) -> str:
    return record.author or record.customer_id or record.mention_id or ""
