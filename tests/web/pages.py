"""A page over a read model of its own, with a desk that answers as the worker would."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from listener.codec import decode
from listener.errors import BrokerError
from listener.projection import changes
from listener.records import (
    Action,
    Alert,
    BrandRisk,
    DeadLetter,
    FitSignal,
    HelpOffer,
    Incident,
    Interval,
    Stage,
    SubjectStage,
)
from listener.store import Received, Store
from listener.web import Access, Hub, Site, create_app, read_tokens
from tests.alerts import alert
from tests.brokers import free_port
from tests.worlds import NOW, labels, linked

T = TypeVar("T")
CHROMIUM: Final = os.environ.get("LISTENER_CHROMIUM") or shutil.which("chromium")
TOKENS: Final = {"ann": ("support", "token of ann"), "max": ("marketing", "token of max"),
                 "root": ("admin", "token of root")}  # fmt: skip


def token_setting() -> str:
    return ",".join(
        f"{name}:{role}:{hashlib.sha256(token.encode()).hexdigest()}"
        for name, (role, token) in TOKENS.items()
    )


class EchoDesk:
    """Takes actions; `echo` writes into the store what the worker would answer."""

    def __init__(self, store: Store, hub: Hub, *, echo: bool = True) -> None:
        self.actions: list[Action] = []
        self.replayed: list[DeadLetter] = []
        self.away = False
        self._store = store
        self._hub = hub
        self._echo = echo
        self._offset = 1_000_000

    async def act(self, action: Action) -> None:
        if self.away:
            raise BrokerError("LISTENER_BROKER=x: away; start the broker")
        self.actions.append(action)
        found = await self._store.alerts.get(action.alert_id)
        if self._echo and found is not None:
            await self.give(answer_to(action, decode(found.record, Alert)))

    async def replay(self, key: bytes | None, letter: DeadLetter) -> bool:
        self.replayed.append(letter)
        return True

    async def give(self, *records: object) -> None:
        received = []
        for record in records:
            received.append(Received("t", 0, self._offset, self._offset, b"k", record))
            self._offset += 1
        await self._store.take(received, {("t", 0): self._offset})
        self._hub.publish(changes(received))


def answer_to(action: Action, old: Alert) -> Alert:
    """What the alert becomes, all kinds of action included."""
    new: dict[str, Any] = {"version": old.version + 1}
    if action.kind == "acknowledge":
        new |= {
            "state": "acknowledged",
            "acknowledged_by": action.actor,
            "acknowledged_at": action.at,
        }
    elif action.kind in ("resolve", "wrong"):
        new |= {"state": "resolved", "resolved_at": action.at}
    elif action.kind == "silence":
        new |= {"state": "suppressed"}
    elif action.kind == "assign":
        new |= {"assignee": action.assignee}
    return msgspec.structs.replace(old, **new)


def figure(hours: int = 0, brand: str = "Acme", **changes: Any) -> BrandRisk:
    fields: dict[str, Any] = {
        "brand": brand,
        "at": NOW + timedelta(hours=hours),
        "brand_risk": 72.0,
        "burn": {"15m": 3.0, "1h": 14.0, "6h": 6.0, "24h": 5.0, "3d": 1.0},
        "significance": {"1h": 1e-6, "15m": 1e-3},
        "mentions_24h": 90,
        "negative_share": 0.6,
        "negative_interval": Interval(low=0.5, high=0.7),
        "incident": Incident(incident_id="i", kind="page", started_at=NOW, peak_burn=14.0),
        "evidence": ("x:1",),
    }
    return BrandRisk(**(fields | changes))


def signal(segment: str = "promo", **changes: Any) -> FitSignal:
    fields: dict[str, Any] = {
        "segment": segment,
        "dimension": "mismatch",
        "band": "8-30",
        "at": NOW,
        "rate": 0.2,
        "interval": Interval(low=0.1, high=0.3),
        "n": 60,
        "n_eff": 60.0,
        "pooled": 0.08,
        "p_above": 0.99,
        "p_below": 0.0,
        "coverage": 0.4,
        "status": "elevated",
        "evidence": ("x:1",),
        "others": 0.05,
        "reasons": {"price": 0.3, "capability": 0.7},
    }
    return FitSignal(**(fields | changes))


def stage(subject: str, *, kind: Stage = "adopting", days: int = 1, stuck: bool = False) -> Any:
    since = NOW - timedelta(days=days)
    return SubjectStage(subject=subject, stage=kind, since=since, stuck=stuck)


def world() -> list[object]:
    """A little of everything that a page shows."""
    letter = DeadLetter(
        stage="normalise", error="not JSON", field="$", topic="raw.canonical", partition=0,
        offset=3, raw=b"<script>hello</script>", at=NOW,
    )  # fmt: skip
    return [
        linked(1, text="charged twice, want my money back"),
        linked(2, text="an earlier message", at=NOW - timedelta(days=2)),
        linked(3, text="works nicely", judged=labels(issue="product", negative=0.1)),
        alert(due_at=NOW + timedelta(minutes=30)),
        alert("a2", priority="P1", issue="outage", snippet="router on fire", subject="x:bob",
              receivers=("on-call",)),
        alert("a3", priority="P3", issue="staff", snippet="rude on the phone", subject="x:cid"),
        figure(), figure(1), figure(brand="Bolt", brand_risk=10.0, incident=None),
        signal(), signal("retail", status="typical", p_above=0.4, rate=0.09),
        signal("retail", dimension="success", status="insufficient"),
        HelpOffer(offer_id="o", customer_id="c9", kind="education", issue="product", at=NOW,
                  reason="asked about product again within 14 days"),
        stage("x:new", stuck=True), stage("x:quiet", days=9), stage("x:cid", kind="at_risk"),
        letter,
    ]  # fmt: skip


def clock() -> datetime:
    return NOW + timedelta(hours=1)


def make_site(
    store: Store, *, access: Access | None = None, echo: bool = True, **more: Any
) -> Site:
    hub = Hub()
    return Site(
        store=store,
        access=access or Access(),
        hub=hub,
        closing=asyncio.Event(),
        clock=clock,
        desk=EchoDesk(store, hub, echo=echo),
        versions={"listener": "test"},
        **more,
    )


def named(**more: Any) -> Access:
    return Access(tokens=read_tokens(token_setting()), secret="of the test", **more)


class Served:
    """A page on a port, with its loop in a thread."""

    def __init__(self, url: str, site: Site, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self.site = site
        self._loop = loop

    @property
    def desk(self) -> EchoDesk:
        assert isinstance(self.site.desk, EchoDesk)
        return self.site.desk

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def give(self, *records: object) -> None:
        self.run(self.desk.give(*records))


@contextmanager
def serve(folder: Path, *, access: Access | None = None, **more: Any) -> Iterator[Served]:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def run(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    async def made() -> Site:
        store = await Store.open(f"sqlite:///{folder}/model.db")
        return make_site(store, access=access, **more)

    site, port = run(made()), free_port()
    config = uvicorn.Config(
        create_app(site), port=port, log_level="error", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # of the main thread
    serving = asyncio.run_coroutine_threadsafe(server._serve(), loop)
    while not server.started:
        time.sleep(0.05)
    try:
        yield Served(f"http://127.0.0.1:{port}", site, loop)
    finally:
        loop.call_soon_threadsafe(site.closing.set)
        server.should_exit = True
        serving.result(20)
        run(site.store.close())
        loop.call_soon_threadsafe(loop.stop)


@contextmanager
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        assert "LISTENER_CI" not in os.environ, "CI must run the browser tests: install Chromium"
        pytest.skip("no chromium found: install it, or set LISTENER_CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
        )
        yield browser
        browser.close()
