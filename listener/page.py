"""Serves the live page and keeps its read model up."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from listener.errors import SettingsError
from listener.projection import project
from listener.settings import Settings
from listener.store import Store
from listener.web import create_app


async def serve_page(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Runs until it is told to stop. Raises SettingsError where the port is taken."""
    store = Store(settings.database)
    closing = asyncio.Event()
    server = _Server(create_app(store, closing=closing), settings)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    tasks = [asyncio.ensure_future(project(settings, store)), asyncio.ensure_future(server.serve())]
    waiting = asyncio.ensure_future(stopped.wait())
    ready(f"http://{settings.web_host}:{settings.web_port}")
    try:
        done, _ = await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        closing.set()
        server.should_exit = True
        tasks[0].cancel()
        waiting.cancel()
        await asyncio.gather(*tasks, waiting, return_exceptions=True)
        store.close()


class _Server(uvicorn.Server):
    """Signals are the caller's."""

    def __init__(self, app: object, settings: Settings) -> None:
        self._socket = _listen(settings.web_host, settings.web_port)
        super().__init__(
            uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=3)  # type: ignore[arg-type]  # uvicorn types the app more narrowly than ASGI
        )

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        await super().serve(sockets=[self._socket])

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        raise SettingsError(
            f"LISTENER_WEB_PORT={port}: cannot listen on {host} ({error.strerror}); stop what uses "
            "it, or choose another port"
        ) from None
    return listener
