"""Alert → every receiver that is to know, once for each state it is in.

The only place that retries a destination. An alert is acknowledged once its state says whom it is
due to; each receiver then works off what is due to it, at its own pace (`Outlet`), so that one
destination that is away holds back neither the partition nor another destination. What a receiver
has got is on record before its next attempt begins: a kill may repeat the notice under way, under
its key, but no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from time import perf_counter
from typing import Any, Final

import msgspec

from agents.flow import Batches, Incoming, Ledger, MaskBytes, Outcome, Outgoing, Step
from agents.notices import Delivered, send_again, settle, take_in
from agents.outlet import Outlet, Result
from listener.codec import decode, encode
from listener.errors import DeliveryDelayed, DeliveryRefused
from listener.ports import Clock
from listener.receivers import DeliveryPolicy
from listener.records import Alert, DeadLetter, Notice
from listener.topics import DEAD_LETTERS, NOTICES

Owned = Callable[[], Collection[int]]
"""Partitions of the alerts that this worker has now."""

AT_ONCE: Final = 200
"""Notices given up in one go."""


class _Marked(msgspec.Struct):
    """As much of a state record as tells whether something is due."""

    due: dict[str, msgspec.Raw] = {}
    partition: int = 0


class _MarkedHeld(msgspec.Struct):
    state: _Marked


class Deliver:
    """The hop. An empty batch is a tick: what is due is tried again."""

    def __init__(
        self,
        outlets: Sequence[Outlet],
        deliveries: Ledger[Delivered],
        *,
        policy: DeliveryPolicy,
        mask: MaskBytes,
        clock: Clock,
        owned: Owned,
    ) -> None:
        self._outlets = {outlet.name: outlet for outlet in outlets}
        self._deliveries = deliveries
        self._policy = policy
        self._step: Step[Alert | Notice] = Step(stage="deliver", kind=Alert, mask=mask)
        self._again: Step[Alert | Notice] = Step(stage="deliver", kind=Notice, mask=mask)
        self._clock = clock
        self._owned = owned
        self._results: list[Result] = []
        self._finished = asyncio.Event()
        self._restored = False
        self._halted = False

    async def __call__(self, batches: Batches) -> AsyncIterator[Outcome]:
        coming: asyncio.Future[list[Incoming] | None] | None = asyncio.ensure_future(_next(batches))
        try:
            while coming is not None or self._busy or self._results:
                if self._results:
                    results, self._results = self._results, []
                    yield Outcome(self._settle(results), self._deliveries.written(), last=False)
                    for result in results:
                        result.outlet.busy = False
                elif coming is not None and coming.done():
                    batch = coming.result()
                    coming = None
                    if batch is not None:
                        yield Outcome(self._take(batch), self._deliveries.written())
                        coming = asyncio.ensure_future(_next(batches))
                else:
                    await self._wake(coming)
                self._begin()
        finally:
            if coming is not None:
                coming.cancel()
            self.clear()

    async def drain(self, *, deadline: float) -> None:
        """Begins nothing more, and waits until the attempts under way are on record."""
        self._halted = True
        ends = perf_counter() + deadline
        while (self._busy or self._results) and perf_counter() < ends:
            await asyncio.sleep(0.01)
        self.clear()

    def clear(self) -> None:
        """Forgets whom something is due to: the state, which may move, has it."""
        for outlet in self._outlets.values():
            outlet.clear()
        self._results.clear()
        self._restored = self._halted = False

    @property
    def _busy(self) -> bool:
        return any(outlet.busy for outlet in self._outlets.values())

    async def _wake(self, coming: asyncio.Future[list[Incoming] | None] | None) -> None:
        """Until a batch has come or an attempt has ended."""
        self._finished.clear()
        ended = asyncio.ensure_future(self._finished.wait())
        try:
            waited: list[asyncio.Future[Any]] = [ended] if coming is None else [ended, coming]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()

    def _take(self, batch: list[Incoming]) -> list[Outgoing]:
        outputs: list[Outgoing] = []
        if not self._restored:
            outputs += self._restore()
        for incoming, alert in self._step.decode(
            [i for i in batch if i.topic != NOTICES.name], outputs
        ):
            if isinstance(alert, Alert):
                self._hear(incoming, alert)
        for incoming, notice in self._again.decode(
            [i for i in batch if i.topic == NOTICES.name], outputs
        ):
            if isinstance(notice, Notice):
                self._hear_again(incoming, notice)
        outputs += self._give_up()
        for outlet in self._outlets.values():
            outlet.report()
        return outputs

    def _hear(self, incoming: Incoming, alert: Alert) -> None:
        done = self._deliveries.open(alert.alert_id, incoming)
        if done is not None:
            take_in(done, alert, self._outlets, partition=incoming.partition, now=self._clock())
            self._queue(alert.alert_id, done)

    def _hear_again(self, incoming: Incoming, notice: Notice) -> None:
        alert, name = notice.alert, notice.receiver
        done = self._deliveries.open(alert.alert_id, incoming)
        if done is not None and name in self._outlets:
            done.partition = incoming.partition
            send_again(done, name, alert, now=self._clock())
            self._queue(alert.alert_id, done)

    def _queue(self, alert_id: str, done: Delivered) -> None:
        for name, outlet in self._outlets.items():
            due = done.due.get(name)
            if due is None:
                outlet.drop(alert_id)
            else:
                outlet.put(due.alert, due.since)

    def _restore(self) -> list[Outgoing]:
        """Queues what the state says is due, and gives up what is due to nobody we know."""
        self._restored = True
        letters: list[Outgoing] = []
        due = [
            (part.since, alert_id, name, part.alert)
            for alert_id in self._marked()
            for name, part in self._deliveries.peek(alert_id).due.items()
        ]
        for since, _, name, alert in sorted(due, key=lambda entry: entry[:3]):
            if name in self._outlets:
                self._outlets[name].put(alert, since)
            else:
                error = DeliveryRefused("no such receiver in the policy")
                letters.append(self._dead(name, alert, error))
        return letters

    def _marked(self) -> Iterator[str]:
        """Alerts of our partitions of which something is due."""
        owned = self._owned()
        for alert_id, raw in self._deliveries.encoded():
            state = decode(raw, _MarkedHeld).state
            # What a partition that has moved has left here is its new worker's to deliver.
            if state.due and state.partition in owned:
                yield alert_id

    def _begin(self) -> None:
        if self._halted or not self._restored:
            return
        now = self._clock()
        for outlet in self._outlets.values():
            if (alert_id := outlet.next(now)) is not None:
                told = self._deliveries.peek(alert_id).told.get(outlet.name)
                ref = told.ref if told is not None else ""
                outlet.begin(self._due(outlet, alert_id), ref, self._ended)

    def _ended(self, result: Result) -> None:
        self._results.append(result)
        self._finished.set()

    def _settle(self, results: Sequence[Result]) -> list[Outgoing]:
        letters: list[Outgoing] = []
        now = self._clock()
        for result in results:
            outlet, alert, error = result.outlet, result.alert, result.error
            outlet.ended(result, now)
            if error is None:
                self._record(outlet.name, alert, ref=result.ref)
            elif isinstance(error, DeliveryRefused) or outlet.late(alert.alert_id, now):
                letters.append(self._dead(outlet.name, alert, self._why(error)))
        return letters

    def _why(self, error: Exception) -> Exception:
        if not isinstance(error, DeliveryDelayed):
            return error
        return DeliveryRefused(f"not in {self._policy.deadline_minutes:g} min, at last: {error}")

    def _record(
        self, name: str, alert: Alert, *, ref: str | None = None, dead: bool = False
    ) -> None:
        done = self._deliveries.wake(alert.alert_id)
        settle(done, name, alert, ref=ref, dead=dead)
        if name in self._outlets and name not in done.due:
            self._outlets[name].drop(alert.alert_id)

    def _give_up(self) -> list[Outgoing]:
        """Dead letters of what has waited too long, or what is too much to wait."""
        letters: list[Outgoing] = []
        now = self._clock()
        for outlet in self._outlets.values():
            late = DeliveryRefused(f"not in {self._policy.deadline_minutes:g} min: it is away")
            for _, alert_id in zip(range(AT_ONCE), outlet.given_up(now), strict=False):
                letters.append(self._dead(outlet.name, self._due(outlet, alert_id), late))
            full = DeliveryRefused(f"more than {self._policy.waiting} alerts wait for it")
            while (surplus := outlet.surplus()) is not None:
                letters.append(self._dead(outlet.name, self._due(outlet, surplus), full))
        return letters

    def _due(self, outlet: Outlet, alert_id: str) -> Alert:
        return self._deliveries.peek(alert_id).due[outlet.name].alert

    def _dead(self, name: str, alert: Alert, error: Exception) -> Outgoing:
        """The dead letter of a notice to one receiver. `raw` is whole and ours, so that it can be
        sent again; -1: it is on no topic yet."""
        letter = DeadLetter(
            stage="deliver",
            error=f"{name}: {error}"[:500],
            field="$",
            topic=NOTICES.name,
            partition=0,
            offset=-1,
            raw=encode(Notice(receiver=name, alert=alert)),
            at=self._clock(),
        )
        self._record(name, alert, dead=True)
        return Outgoing(DEAD_LETTERS.name, alert.alert_id.encode(), encode(letter))


async def _next(batches: Batches) -> list[Incoming] | None:
    return await anext(batches, None)
