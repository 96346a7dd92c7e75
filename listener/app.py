"""The whole service on one page, in flow order: settings → adapters → model → agents."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from time import perf_counter
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry

from agents.brand import Figures, brand
from agents.classify import classify
from agents.deliver import Deliver
from agents.escalate import Escalation, Subject, escalating
from agents.fit import fit
from agents.flow import Hop, Ledger
from agents.index import Known, Said, index
from agents.normalise import normalise
from agents.notices import Delivered
from agents.outlet import Outlet
from agents.relinking import Relinking
from agents.silence import Silence
from agents.threads import Place, Threads, threads
from agents.timetable import StreamClock
from listener.brand import BrandState
from listener.calibrating import load_weights
from listener.contacts import contacts_of
from listener.delivery import build_sinks
from listener.directory import Directory
from listener.engine import Engine, attach, build_engine, open_table
from listener.fit import SegmentState, band_of
from listener.following import DirectoryReader
from listener.identity import Guesser, guesser
from listener.incidents import IncidentReader, Incidents
from listener.lanes import Lane
from listener.metrics import Metrics
from listener.model import load_model
from listener.policy import Policy
from listener.ports import Clock, Judge
from listener.proofs import Proofs
from listener.records import Mention
from listener.settings import Settings
from listener.sources import FORMATS
from listener.sources.masking import mask_bytes
from listener.sources.prepare import Preparer
from listener.topics import (
    ACTIONS,
    ALERTS,
    BRAND_EVIDENCE,
    CUSTOMERS,
    FIT_EVIDENCE,
    LINKED,
    MANUAL_LINKS,
    MENTIONS,
    NOTICES,
    STATE_AUTHORS,
    STATE_BRANDS,
    STATE_CUSTOMERS,
    STATE_DELIVERIES,
    STATE_SEGMENTS,
    STATE_SUBJECTS,
    STATE_THREADS,
    SUBJECT_EVENTS,
    THREADS,
    Topic,
)

logger = logging.getLogger(__name__)
S = TypeVar("S")
T = TypeVar("T")

DRAIN_SECONDS = 10.0
ALERT_GATHER = 0.005
"""Seconds that an alert may wait for others to share one write of state."""
TICK = 1.0
"""Seconds between two looks at the timers."""
FIGURE_GATHER = 0.25
"""The same for figures that people watch: a brand's state is large, and written whole."""
FIGURE_BATCH = 512
"""Records of a backlog that share one such write."""


class Cleared(Protocol):
    """What is read from state, and anew where the partitions may have moved."""

    def clear(self) -> None: ...


def wall_clock() -> datetime:
    return datetime.now(UTC)


class Application:
    """One worker: every hop of the flow, its state and its destinations."""

    def __init__(self, settings: Settings, policy: Policy, *, clock: Clock = wall_clock) -> None:
        self._clock = clock
        self.settings = settings
        self.policy = policy
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.metrics = Metrics(CollectorRegistry())
        self.engine: Engine = build_engine(settings)
        self.directory = Directory(band=band_of)
        self.reader = DirectoryReader(self.directory, settings)
        self.contacts = contacts_of(settings)
        self.incidents = Incidents()
        self.incident_reader = IncidentReader(self.incidents, settings)
        self._guess = self._guesser()
        self.judge: Judge = load_model(settings, policy)
        self.sinks = build_sinks(settings, policy)
        self._inference = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._ledgers: list[Ledger[object]] = []
        self._cleared: list[Cleared] = []
        self._lanes: list[Lane] = []
        self._wire()
        self.engine.on_partitions_revoked.connect(self._release)
        self.engine.on_rebalance_complete.connect(self._settle)

    def _wire(self) -> None:
        policy, mask = self.policy, mask_bytes
        sources = {topic: FORMATS[name] for topic, name in policy.sources.items()}
        preparer = Preparer(policy.brands)
        region = self.settings.phone_region
        proofs = Proofs(policy.identity, self.contacts, region=region)

        def prepare(mention: Mention) -> Mention:
            return preparer.prepare(self.contacts.prepared(proofs.found(mention)))

        subjects = self._ledger(STATE_SUBJECTS, Subject)
        brands = self._ledger(STATE_BRANDS, BrandState, snapshots=False)
        segments = self._ledger(STATE_SEGMENTS, SegmentState, snapshots=False)
        deliveries = self._ledger(STATE_DELIVERIES, Delivered)
        places = self._ledger(STATE_THREADS, Place)
        customers = self._ledger(STATE_CUSTOMERS, Known)
        authors = self._ledger(STATE_AUTHORS, Said)

        self._hop(
            "index",
            [CUSTOMERS.name, MANUAL_LINKS.name],
            index(
                customers,
                authors,
                seal=self.contacts.sealed,
                linked_by_hand=self.directory.authors_of,
                profiles=policy.identity.probabilistic,
                mask=mask,
            ),
        )
        self._hop("normalise", list(sources), normalise(sources, prepare, mask=mask))
        self._hop(
            "classify",
            [MENTIONS.name],
            classify(
                self.judge,
                self.directory,
                links=policy.identity,
                guess=self._guess,
                brands=policy.brand_rules,
                run=self._infer,
                mask=mask,
            ),
        )
        self._hop(
            "escalate",
            [LINKED.name, ACTIONS.name, SUBJECT_EVENTS.name],
            escalating(self._escalation(subjects), mask=mask),
            gather=ALERT_GATHER,
            tick=TICK,
        )
        self._hop(
            "threads",
            [THREADS.name],
            threads(self._threads(places), mask=mask),
            gather=ALERT_GATHER,
            tick=TICK,
        )
        self._hop(
            "brand",
            [BRAND_EVIDENCE.name],
            brand(self._figures(brands), mask=mask),
            gather=FIGURE_GATHER,
            limit=FIGURE_BATCH,
            tick=TICK,
        )
        self._hop(
            "fit",
            [FIT_EVIDENCE.name],
            fit(segments, self.directory.population, policy=policy.fit, mask=mask),
            gather=FIGURE_GATHER,
            limit=FIGURE_BATCH,
        )
        self._hop("deliver", [ALERTS.name, NOTICES.name], self._delivery(deliveries), tick=TICK)

    def _delivery(self, deliveries: Ledger[Delivered]) -> Deliver:
        policy, watch = self.policy.delivery, self.metrics
        outlets = [Outlet(s, policy, draw=random.random, watch=watch) for s in self.sinks]
        self._deliver = Deliver(
            outlets,
            deliveries,
            policy=policy,
            mask=mask_bytes,
            clock=self._clock,
            owned=lambda: self._owned(ALERTS),
        )
        return self._deliver

    def _escalation(self, subjects: Ledger[Subject]) -> Escalation:
        escalation = Escalation(
            subjects,
            policy=self.policy.escalation,
            fit=self.policy.fit,
            clock=StreamClock(self._clock),
            incidents=self.incidents,
            owned=lambda: self._owned(LINKED),
            judged=self.metrics.judged,
            relinking=Relinking(
                self.directory, self.policy.identity, guess=self._guess, clock=self._clock
            ),
        )
        self._cleared.append(escalation.timetable)
        return escalation

    def _threads(self, places: Ledger[Place]) -> Threads:
        index = Threads(
            places,
            days=self.policy.escalation.thread_days,
            clock=self._clock,
            owned=lambda: self._owned(THREADS),
        )
        self._cleared.append(index.timetable)
        return index

    def _figures(self, brands: Ledger[BrandState]) -> Figures:
        rules, watch = self.policy.brand_rules, self.metrics.brand
        silence = Silence(
            brands, policy=rules, clock=self._clock, owned=lambda: self._owned(BRAND_EVIDENCE)
        )
        self._cleared.append(silence)
        return Figures(brands, policy=rules, watch=watch, silence=silence)

    def _owned(self, topic: Topic) -> set[int]:
        assigned = self.engine.consumer.assignment()
        return {place.partition for place in assigned if place.topic == topic.name}

    async def start(self) -> None:
        """Returns once every hop reads. Raises BrokerError if the broker cannot be reached."""
        await self.reader.start()
        self.incident_reader.start()
        self.metrics.customers.set_function(lambda: len(self.directory))
        self.engine.finalize()
        await self.engine.start()

    async def stop(self) -> None:
        """Stops reading, delivers what is under way, commits and leaves the group."""
        self.engine.flow_control.suspend()
        await self._drain()
        await self.engine.stop()
        await self.reader.stop()
        await self.incident_reader.stop()
        for sink in self.sinks:
            await sink.close()
        self._inference.shutdown()

    def _ledger(self, topic: Topic, kind: type[S], *, snapshots: bool = True) -> Ledger[S]:
        table = open_table(self.engine, topic, width=self.settings.partitions)
        ledger: Ledger[S] = Ledger(table.data, topic=topic, kind=kind, snapshots=snapshots)
        self._ledgers.append(ledger)  # type: ignore[arg-type]  # only cleared, whatever it holds
        return ledger

    def _hop(
        self,
        name: str,
        topics: Sequence[str],
        hop: Hop,
        *,
        gather: float = 0.0,
        tick: float | None = None,
        limit: int = 0,
    ) -> None:
        lane = Lane(
            name,
            hop,
            engine=self.engine,
            limit=max(limit, self.settings.batch),
            gather=gather,
            tick=tick,
            watch=self.metrics,
            fatal=self._fail,
        )
        self._lanes.append(lane)
        attach(self.engine, name, topics, lane)

    def _guesser(self) -> Guesser | None:
        policy = self.policy.identity
        if not policy.probabilistic:
            return None
        weights = load_weights(self.settings.identity_weights)
        return guesser(self.directory, weights, policy)

    async def _infer(self, work: Callable[[], T]) -> T:
        began = perf_counter()
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(self._inference, work)
        self.metrics.model_seconds.observe(perf_counter() - began)
        return result

    async def _drain(self) -> None:
        for lane in self._lanes:
            await lane.drain(deadline=DRAIN_SECONDS)
        await self._deliver.drain(deadline=DRAIN_SECONDS)

    async def _release(self, *_: object, **__: object) -> None:
        await self._drain()
        for ledger in self._ledgers:
            ledger.clear()
        for cleared in self._cleared:
            cleared.clear()

    async def _settle(self, *_: object, **__: object) -> None:
        for lane in self._lanes:
            lane.settle()

    def _fail(self, lane: str, error: BaseException) -> None:
        logger.critical("the lane %s died: %r", lane, error, exc_info=error)
        if not self.failed.done():
            self.failed.set_result(f"the lane {lane} died: {error!r}; restart the worker")
