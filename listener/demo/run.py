"""Broker, worker, page and stream in one go."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from listener.broker import EmbeddedBroker
from listener.cluster import counts
from listener.demo.story import DAYS, people, policy_text, story
from listener.errors import ListenerError
from listener.feed import import_customers, replay
from listener.page import serve_page
from listener.policy import Policy, parse_policy
from listener.settings import Settings, load_settings

RAW = "raw.canonical"
STOP_SECONDS = 15.0
READY_SECONDS = 60.0
Say = Callable[[str], None]


def run_demo(*, port: int, speed: float, say: Say) -> None:
    """Runs until Ctrl-C. Raises ListenerError where a part of it cannot start."""
    began = monotonic()
    policy = parse_policy(policy_text(), where="the demo's policy")
    with tempfile.TemporaryDirectory(prefix="listener-demo-") as folder:
        path = Path(folder) / "policy.yaml"
        path.write_text(policy_text(), encoding="utf-8")
        with _broker(policy) as address:
            settings = load_settings(
                broker=address,
                policy=path,
                web_port=port,
                database=f"sqlite:///{folder}/listener.db",
                metrics_port=0,
            )
            with suppress(KeyboardInterrupt):
                asyncio.run(_play(settings, policy, speed=speed, say=say, began=began))
            say("Stopped.")


@contextmanager
def _broker(policy: Policy) -> Iterator[str]:
    with EmbeddedBroker(counts(policy, width=4)) as broker:
        yield broker.address


async def _play(
    settings: Settings, policy: Policy, *, speed: float, say: Say, began: float
) -> None:
    worker = _start_worker(settings)
    told = StoryClock(speed)
    try:
        page = asyncio.ensure_future(serve_page(settings, policy, ready=lambda _: None, clock=told))
        feeder = asyncio.ensure_future(
            _feed(settings, worker, told, speed=speed, say=say, began=began)
        )
        watch = asyncio.ensure_future(_watch(worker))
        feeder.add_done_callback(lambda task: _give_up(task, watch))
        done, rest = await asyncio.wait({page, watch}, return_when=asyncio.FIRST_COMPLETED)
        for task in (feeder, *rest):
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        if feeder.done() and not feeder.cancelled():
            feeder.result()
        for task in done:
            if not task.cancelled():
                task.result()
    finally:
        await asyncio.to_thread(_stop_worker, worker)


def _give_up(feeder: asyncio.Future[None], watch: asyncio.Future[None]) -> None:
    """A stream that cannot be sent ends the demonstration, with its own error."""
    if not feeder.cancelled() and feeder.exception() is not None:
        watch.cancel()


class StoryClock:
    """The time in the story: it runs at its speed once it plays, and at the usual one after it."""

    def __init__(self, speed: float) -> None:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self.start = midnight - timedelta(days=DAYS)
        self._speed = speed
        self._began: float | None = None

    def play(self) -> None:
        self._began = monotonic()

    def __call__(self) -> datetime:
        played = monotonic() - self._began if self._began is not None else 0.0
        story = timedelta(days=DAYS)
        told = timedelta(seconds=played * self._speed)
        if told < story:
            return self.start + told
        return self.start + story + timedelta(seconds=played) - story / self._speed


async def _feed(
    settings: Settings,
    worker: subprocess.Popen[str],
    told: StoryClock,
    *,
    speed: float,
    say: Say,
    began: float,
) -> None:
    start = told.start
    await import_customers(settings, people(start=start))
    await asyncio.wait_for(asyncio.to_thread(_await_ready, worker), READY_SECONDS)
    say(f"Ready in {monotonic() - began:.1f} s")
    say(f"Page:   http://{settings.web_host}:{settings.web_port}")
    say(f"Broker: {settings.broker}   (Ctrl-C stops everything)")
    minutes = DAYS * 86_400 / speed / 60
    say(f"Three days of Norvia's customers, in {minutes:.1f} minutes ...")
    told.play()
    sent = await replay(settings, RAW, story(start=start), speed=speed)
    say(f"All {sent} messages are sent; the page stays up.")


def _start_worker(settings: Settings) -> subprocess.Popen[str]:
    environment = os.environ | {
        "LISTENER_BROKER": settings.broker,
        "LISTENER_POLICY": str(settings.policy),
        "LISTENER_METRICS_PORT": "0",
        "LISTENER_LOG_LEVEL": "WARNING",
        "LISTENER_PARTITIONS": str(settings.partitions),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "listener", "worker", "--announce"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C is ours: the worker is stopped in its turn, so that nothing it holds is cut off.
        start_new_session=True,
    )


def _await_ready(worker: subprocess.Popen[str]) -> None:
    assert worker.stdout is not None
    for line in worker.stdout:
        if line.strip() == "ready":
            return


async def _watch(worker: subprocess.Popen[str]) -> None:
    while worker.poll() is None:
        await asyncio.sleep(0.2)
    raise ListenerError(f"the worker stopped with exit code {worker.returncode}; see its log above")


def _stop_worker(worker: subprocess.Popen[str]) -> None:
    worker.terminate()
    try:
        worker.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
