"""Runs one worker until it is told to stop, or until something in it dies."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from listener.app import Application
from listener.errors import SettingsError
from listener.metrics import Metrics
from listener.policy import Policy
from listener.settings import Settings

logger = logging.getLogger(__name__)

EXIT_FAILED = 70
"""Exit code of a worker that lost a part of itself: start it again."""


async def run_worker(settings: Settings, policy: Policy, *, ready: Callable[[], None]) -> int:
    """Returns the exit code. Raises ListenerError where it cannot start."""
    application = Application(settings, policy)
    server = serve_metrics(application.metrics, settings.metrics_port)
    stopped = _stop_on_signals()
    try:
        await application.start()
        logger.info("ready: %d topics of input, model %s", len(policy.sources), settings.model)
        ready()
        return await _wait(application, stopped)
    finally:
        await application.stop()
        if server is not None:
            server.shutdown()


async def _wait(application: Application, stopped: asyncio.Event) -> int:
    stop = asyncio.ensure_future(stopped.wait())
    crash = asyncio.ensure_future(_crashed(application))
    done, rest = await asyncio.wait({stop, crash}, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    if crash in done:
        logger.critical("%s", crash.result())
        return EXIT_FAILED
    return 0


async def _crashed(application: Application) -> str:
    while not application.failed.done():
        if application.engine.crashed:
            return f"the engine died: {application.engine.crash_reason!r}; restart the worker"
        await asyncio.sleep(0.2)
    return application.failed.result()


def _stop_on_signals() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    return stopped


def serve_metrics(metrics: Metrics, port: int) -> WSGIServer | None:
    """/metrics and /healthz on a thread of their own; None where the port is 0."""
    if port == 0:
        return None
    scrape = make_wsgi_app(metrics.registry)

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == "/healthz":
            start("200 OK", [("Content-Type", "application/json")])
            return [json.dumps({"status": "ok"}).encode()]
        body: Iterable[bytes] = scrape(environ, start)
        return body

    try:
        server = make_server("", port, answer, handler_class=_Quiet)
    except OSError as error:
        raise SettingsError(
            f"LISTENER_METRICS_PORT={port}: cannot listen there ({error.strerror}); choose another "
            "port, or 0 for none"
        ) from None
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    return server


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not news."""


__all__ = ["EXIT_FAILED", "run_worker", "serve_metrics"]
