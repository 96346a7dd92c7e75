"""Serves the live page and keeps its read model up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import uvicorn

from listener import __version__
from listener.desk import KafkaDesk, ModelExplainer
from listener.errors import SettingsError
from listener.policy import Policy
from listener.ports import Clock
from listener.projection import Projection
from listener.settings import Settings
from listener.store import Retention, Store
from listener.web import Access, Hub, Site, create_app, read_tokens
from listener.web.identity import LOOPBACK

logger = logging.getLogger(__name__)

SCRUB_SECONDS: Final = 60.0
PRUNE_SECONDS: Final = 3600.0


def wall_clock() -> datetime:
    return datetime.now(UTC)


async def serve_page(
    settings: Settings,
    policy: Policy,
    *,
    ready: Callable[[str], None],
    clock: Clock = wall_clock,
) -> None:
    """Runs until it is told to stop. Raises SettingsError where the port is taken, or where
    anybody on the network could come in."""
    access = access_of(settings)
    listening = _listen(settings.web_host, settings.web_port)
    with contextlib.closing(listening):
        store = await Store.open(settings.database)
        desk, explainer = KafkaDesk(settings), ModelExplainer(settings, policy)
        try:
            hub, closing = Hub(), asyncio.Event()
            projection = Projection(settings, store, publish=hub.publish)
            site = Site(
                store=store,
                access=access,
                hub=hub,
                closing=closing,
                clock=clock,
                desk=desk,
                explainer=explainer if settings.web_explain else None,
                progress=projection,
                versions={"listener": __version__, "model": settings.model},
                rules=rules_of(policy),
            )
            server = _Server(create_app(site), listening)
            ready(f"http://{settings.web_host}:{listening.getsockname()[1]}")
            keep = Retention(**msgspec.structs.asdict(policy.read_model))
            keeping = _keep(store, keep)
            await _until_stopped(server, closing, projection.run(), keeping)
        finally:
            explainer.close()
            await desk.close()
            await store.close()


def access_of(settings: Settings) -> Access:
    """Who may come in. Raises SettingsError where everybody could, from elsewhere."""
    tokens, secret = settings.web_tokens, settings.web_secret
    access = Access(
        tokens=read_tokens(tokens.get_secret_value()) if tokens else (),
        proxy_user=settings.web_proxy_user,
        proxy_role=settings.web_proxy_role,
        proxy_from=settings.web_proxy_from,
        secret=secret.get_secret_value() if secret else None,
        secure=settings.web_secure,
    )
    if access.open and settings.web_host not in LOOPBACK:
        raise SettingsError(
            f"LISTENER_WEB_HOST={settings.web_host}: without LISTENER_WEB_TOKENS or "
            "LISTENER_WEB_PROXY_USER anybody who reaches this address would be administrator; "
            "set one of them, or bind 127.0.0.1"
        )
    return access


def rules_of(policy: Policy) -> dict[str, float]:
    """Thresholds that pages name beside a figure."""
    brand, alerts = policy.brand, policy.escalation
    burn = {"1h": brand.page_fast, "6h": brand.page_slow, "3d": brand.ticket}
    return burn | {"p2": alerts.p2, "p3": alerts.p3}


async def rebuild(settings: Settings) -> None:
    """Empties the read model; the page fills it again from the topics."""
    store = await Store.open(settings.database)
    try:
        await store.empty()
    finally:
        await store.close()


async def _keep(store: Store, keep: Retention) -> None:
    """Deletes what has had its time, and takes what was forgotten off the disk."""
    waited = PRUNE_SECONDS
    while True:
        if waited >= PRUNE_SECONDS:
            waited = 0.0
            await store.prune(keep, now=wall_clock())
        if await store.ledger.unscrubbed():
            await store.scrub()
        await asyncio.sleep(SCRUB_SECONDS)
        waited += SCRUB_SECONDS


async def _until_stopped(
    server: _Server, closing: asyncio.Event, *work: Coroutine[Any, Any, None]
) -> None:
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    serving = asyncio.ensure_future(server.serve())
    others = [asyncio.ensure_future(each) for each in (*work, _wait(stopped))]
    try:
        done, _ = await asyncio.wait([serving, *others], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        closing.set()
        server.should_exit = True
        for task in others:
            task.cancel()
        await asyncio.gather(serving, *others, return_exceptions=True)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


class _Server(uvicorn.Server):
    """Signals are the caller's."""

    def __init__(self, app: object, listening: socket.socket) -> None:
        self._socket = listening
        super().__init__(
            # What a proxy says of the client is believed by `Access` alone, from named addresses.
            uvicorn.Config(
                app,  # type: ignore[arg-type]  # uvicorn types the app more narrowly than ASGI
                log_level="warning",
                timeout_graceful_shutdown=3,
                proxy_headers=False,
                server_header=False,
            )
        )

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await super().serve(sockets=[self._socket])

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"LISTENER_WEB_PORT={port}: cannot listen on {host} ({error.strerror}); stop what uses "
            "it, or choose another port"
        ) from None
    return listener
