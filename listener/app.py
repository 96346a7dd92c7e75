"""The whole service on one page, in flow order: settings → adapters → model → agents."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TypeVar

from prometheus_client import CollectorRegistry

from agents.brand import brand
from agents.classify import classify
from agents.deliver import Delivered, deliver
from agents.escalate import Subject, escalating
from agents.fit import fit
from agents.flow import Hop, Ledger
from agents.index import Known, index
from agents.normalise import normalise
from listener.brand import BrandState
from listener.directory import Directory, DirectoryReader
from listener.engine import Engine, attach, build_engine, open_table
from listener.fit import SegmentState, band_of
from listener.lanes import Lane
from listener.metrics import Metrics
from listener.model import load_model
from listener.policy import Policy
from listener.ports import Judge, Sink
from listener.settings import Settings
from listener.sinks.jsonlines import JsonLines
from listener.sinks.webhook import Webhook
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
    MENTIONS,
    STATE_BRANDS,
    STATE_CUSTOMERS,
    STATE_DELIVERIES,
    STATE_SEGMENTS,
    STATE_SUBJECTS,
    Topic,
)

logger = logging.getLogger(__name__)
S = TypeVar("S")
T = TypeVar("T")

DRAIN_SECONDS = 10.0
ALERT_GATHER = 0.005
"""Seconds that an alert may wait for others to share one write of state."""
FIGURE_GATHER = 0.25
"""The same for figures that people watch: a brand's state is large, and written whole."""


class Application:
    """One worker: every hop of the flow, its state and its destinations."""

    def __init__(self, settings: Settings, policy: Policy) -> None:
        self.settings = settings
        self.policy = policy
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.metrics = Metrics(CollectorRegistry())
        self.engine: Engine = build_engine(settings)
        self.directory = Directory(band=band_of)
        self.reader = DirectoryReader(self.directory, settings)
        self.judge: Judge = load_model(settings, policy)
        self.sinks = build_sinks(settings)
        self._inference = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._ledgers: list[Ledger[object]] = []
        self._lanes: list[Lane] = []
        self._wire()
        self.engine.on_partitions_revoked.connect(self._release)

    def _wire(self) -> None:
        policy, mask = self.policy, mask_bytes
        sources = {topic: FORMATS[name] for topic, name in policy.sources.items()}
        prepare = Preparer(policy.brands).prepare
        subjects = self._ledger(STATE_SUBJECTS, Subject)
        brands = self._ledger(STATE_BRANDS, BrandState)
        segments = self._ledger(STATE_SEGMENTS, SegmentState)
        deliveries = self._ledger(STATE_DELIVERIES, Delivered)
        customers = self._ledger(STATE_CUSTOMERS, Known)

        self._hop("index", [CUSTOMERS.name], index(customers, mask=mask))
        self._hop("normalise", list(sources), normalise(sources, prepare, mask=mask))
        self._hop(
            "classify",
            [MENTIONS.name],
            classify(
                self.judge,
                self.directory,
                links=policy.identity,
                brands=policy.brand_rules,
                run=self._infer,
                mask=mask,
            ),
        )
        self._hop(
            "escalate",
            [LINKED.name, ACTIONS.name],
            escalating(subjects, escalation=policy.escalation, fit=policy.fit, mask=mask),
            gather=ALERT_GATHER,
        )
        self._hop(
            "brand",
            [BRAND_EVIDENCE.name],
            brand(brands, policy=policy.brand_rules, mask=mask, watch=self.metrics.brand),
            gather=FIGURE_GATHER,
        )
        self._hop(
            "fit",
            [FIT_EVIDENCE.name],
            fit(segments, self.directory.population, policy=policy.fit, mask=mask),
            gather=FIGURE_GATHER,
        )
        self._hop(
            "deliver",
            [ALERTS.name],
            deliver(self.sinks, deliveries, mask=mask, count=self.metrics.delivered),
        )

    async def start(self) -> None:
        """Returns once every hop reads. Raises BrokerError if the broker cannot be reached."""
        await self.reader.start()
        self.metrics.customers.set_function(lambda: len(self.directory))
        self.engine.finalize()
        await self.engine.start()

    async def stop(self) -> None:
        """Stops reading, delivers what is under way, commits and leaves the group."""
        self.engine.flow_control.suspend()
        for lane in self._lanes:
            await lane.drain(deadline=DRAIN_SECONDS)
        await self.engine.stop()
        await self.reader.stop()
        for sink in self.sinks:
            await sink.close()
        self._inference.shutdown()

    def _ledger(self, topic: Topic, kind: type[S]) -> Ledger[S]:
        table = open_table(self.engine, topic, width=self.settings.partitions)
        ledger: Ledger[S] = Ledger(table.data, topic=topic, kind=kind)
        self._ledgers.append(ledger)  # type: ignore[arg-type]  # only cleared, whatever it holds
        return ledger

    def _hop(self, name: str, topics: Sequence[str], hop: Hop, *, gather: float = 0.0) -> None:
        lane = Lane(
            name,
            hop,
            engine=self.engine,
            limit=self.settings.batch,
            gather=gather,
            watch=self.metrics,
            fatal=self._fail,
        )
        self._lanes.append(lane)
        attach(self.engine, name, topics, lane)

    async def _infer(self, work: Callable[[], T]) -> T:
        began = perf_counter()
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(self._inference, work)
        self.metrics.model_seconds.observe(perf_counter() - began)
        return result

    async def _release(self, *_: object, **__: object) -> None:
        for lane in self._lanes:
            await lane.drain(deadline=DRAIN_SECONDS)
        for ledger in self._ledgers:
            ledger.clear()

    def _fail(self, lane: str, error: BaseException) -> None:
        logger.critical("the lane %s died: %r", lane, error, exc_info=error)
        if not self.failed.done():
            self.failed.set_result(f"the lane {lane} died: {error!r}; restart the worker")


def build_sinks(settings: Settings) -> list[Sink]:
    """The destinations that the settings name, in order."""
    sinks: list[Sink] = []
    if settings.webhook_url is not None:
        secret = settings.webhook_secret
        sinks.append(
            Webhook(
                settings.webhook_url.get_secret_value(),
                secret.get_secret_value() if secret else None,
            )
        )
    if settings.alerts_file is not None:
        sinks.append(JsonLines(settings.alerts_file))
    return sinks
