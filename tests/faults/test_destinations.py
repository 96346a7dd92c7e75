"""A destination that is away during a replay, and comes back.

`LISTENER_AWAY_SECONDS=360 LISTENER_AWAY_ALERTS=2400` is the long run of docs/benchmarks.md, with
`LISTENER_AWAY_CONTROL=1` the same without the outage, to tell what memory owes to it; the
default is short enough for every test run.
"""

import asyncio
import itertools
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from listener.codec import decode, encode
from listener.feed import dead_letters
from listener.records import Alert
from listener.settings import Settings
from listener.topics import ALERTS as ALERTS_OF
from tests.alerts import alert
from tests.brokers import Worker, broker
from tests.destinations.server import Answer, Request, Server, serving
from tests.worlds import NOW

SECONDS = float(os.environ.get("LISTENER_AWAY_SECONDS", "12"))
ALERTS = int(os.environ.get("LISTENER_AWAY_ALERTS", "300"))
ALERTS_TOPIC = ALERTS_OF.name
LEAD = min(SECONDS / 2, 60.0)
"""Seconds before and after the outage."""
TOTAL = SECONDS + 2 * LEAD
DOWN, UP = round(ALERTS * LEAD / TOTAL), round(ALERTS * (1 - LEAD / TOTAL))
PATIENCE = 120.0 + ALERTS / 10
CONTROL = "LISTENER_AWAY_CONTROL" in os.environ
KIND = "apache" if "KAFKA_HOME" in os.environ else "embedded"


class Destination:
    """Notices in the order in which they came, and how long after their alert."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.versions: dict[str, list[int]] = defaultdict(list)
        self.states: dict[str, str] = {}
        self.delays: list[tuple[float, float]] = []
        self.server: Server

    def __call__(self, request: Request) -> Answer:
        came = decode(request.body, Alert)
        self.keys.append(request.headers["idempotency-key"])
        self.versions[came.alert_id].append(came.version)
        self.states[came.alert_id] = came.state
        # `score` carries the time at which the alert was sent.
        self.delays.append((came.score, time.time() - came.score))
        return Answer(204)

    @property
    def repeats(self) -> int:
        return len(self.keys) - len(set(self.keys))


@contextmanager
def destination() -> Iterator[Destination]:
    found = Destination()
    with serving(found) as server:
        found.server = server
        yield found


def rss(pid: int) -> int:
    """Resident memory in MB."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") // 2**20


def versions(number: int) -> Iterator[Alert]:
    """What the `number`-th step changes: one alert opens, an older one is acknowledged, and every
    second of those still older is resolved."""
    for version, at in ((1, number), (2, number - 20), (3, number - 40)):
        if at >= 0 and not (version == 3 and at % 2):
            yield alert(
                f"a{at}",
                state=("open", "acknowledged", "resolved")[version - 1],
                version=version,
                priority=("P1", "P2", "P3")[at % 3],
                score=time.time(),
                opened_at=NOW + timedelta(seconds=at),
                snippet="a text of some length " * 8,
            )


async def send(settings: Settings, step: Callable[[int], None]) -> None:
    """At a steady pace."""
    async with AIOKafkaProducer(**settings.kafka) as client:
        began = time.monotonic()
        for number in range(ALERTS):
            due = began + TOTAL * number / ALERTS
            await asyncio.sleep(max(due - time.monotonic(), 0))
            step(number)
            for changed in versions(number):
                await client.send(ALERTS_TOPIC, encode(changed), changed.alert_id.encode())
        await client.flush()


def expected() -> dict[str, str]:
    """The last state of each alert that was sent."""
    found = {f"a{n}": "open" for n in range(ALERTS)}
    found |= {f"a{n}": "acknowledged" for n in range(ALERTS - 20)}
    return found | {f"a{n}": "resolved" for n in range(0, ALERTS - 40, 2)}


def until(done: Callable[[], bool], seconds: float) -> float:
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < seconds, "not delivered in time"
        time.sleep(0.1)
    return time.monotonic() - began


@pytest.mark.parametrize("kills", [0, 2])
def test_a_destination_that_was_away_gets_all_and_delays_nobody(
    tmp_path: Path, kills: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """All delivered, none twice (after a kill one at most), each alert in order; the other one is
    told as if nothing were wrong, and the worker's memory is flat."""
    kill_at = {ALERTS // 2 + 5 * n for n in range(kills)} if kills else set()
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "receivers:\n  here: {sink: webhook, url_env: HERE}\n"
        "  away: {sink: webhook, url_env: AWAY}\n"
        "delivery: {breaker_seconds: 1, wait_max_seconds: 5}\n"
    )
    memory: list[int] = []
    outage: list[float] = []
    with destination() as here, destination() as away, broker(KIND, policy=policy) as settings:
        worker = Worker(settings, HERE=here.server.url, AWAY=away.server.url)
        worker.start()

        def step(number: int) -> None:
            if number == DOWN:
                away.server.fault = None if CONTROL else Answer(503, "", {"Retry-After": "1"})
                outage.append(time.time())
            if number == UP:
                away.server.fault = None
                outage.append(time.time())
            if number in kill_at:
                worker.kill()
                worker.start(wait=False)
            if number % max(ALERTS // 40, 1) == 0:
                memory.append(rss(worker.pid))

        asyncio.run(send(settings, step))
        until(lambda: here.states == expected() and away.states == expected(), PATIENCE)
        time.sleep(2)
        memory.append(rss(worker.pid))
        assert worker.stop() == 0
        letters = asyncio.run(dead_letters(settings))
    with capsys.disabled():
        os.write(1, report(here, away, outage, memory, kills).encode())
    assert letters == []
    for told in (here, away):
        assert told.repeats <= kills
        assert all(order == sorted(order) for order in told.versions.values())
    if not kills:
        before, during, _ = phases(here, outage)
        assert during[0] < 3 * before[0] + 1.0


def phases(told: Destination, outage: list[float]) -> list[tuple[float, float]]:
    """Median and 99th percentile of the delays before, during and after the outage, seconds."""
    edges = [0.0, *outage, float("inf")]
    found = []
    for start, end in itertools.pairwise(edges):
        delays = sorted(delay for sent, delay in told.delays if start <= sent < end)
        found.append((delays[len(delays) // 2], delays[int(len(delays) * 0.99)]))
    return found


def report(
    here: Destination, away: Destination, outage: list[float], memory: list[int], kills: int
) -> str:
    what = "control, not away" if CONTROL else "away"
    span = f"{outage[1] - outage[0]:.0f} s, {ALERTS} alerts, {kills} kills ({KIND})"
    lines = [f"\n{what} for {span}:"]
    for name, told in (("here", here), ("away", away)):
        parts = ", ".join(f"{p50:.2f}/{p99:.2f}" for p50, p99 in phases(told, outage))
        lines.append(
            f"  {name}: {len(told.keys)} notices, {told.repeats} twice; p50/p99 before, during and "
            f"after: {parts} s; {len(told.server.requests)} requests"
        )
    quarters = [memory[len(memory) * n // 4] for n in (0, 1, 2, 3)]
    lines.append(
        f"  memory by quarter {quarters} MB, at most {max(memory)}, at the end {memory[-1]}"
    )
    return "\n".join(lines) + "\n"


def test_what_is_due_moves_with_its_partition(tmp_path: Path) -> None:
    """A second worker joins while one destination is away, the first one leaves as it is asked to:
    all is delivered by whoever has the partition, and nothing twice."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "receivers:\n  here: {sink: webhook, url_env: HERE}\n"
        "  away: {sink: webhook, url_env: AWAY}\n"
        "delivery: {breaker_seconds: 1, wait_max_seconds: 5}\n"
    )

    async def some(settings: Settings, first: int) -> None:
        async with AIOKafkaProducer(**settings.kafka) as client:
            for number in range(first, first + 40):
                opened = alert(f"a{number}", score=time.time())
                await client.send_and_wait(ALERTS_TOPIC, encode(opened), f"a{number}".encode())

    with destination() as here, destination() as away, broker("apache", policy=policy) as settings:
        away.server.fault = Answer(503)
        workers = [Worker(settings, HERE=here.server.url, AWAY=away.server.url) for _ in range(2)]
        workers[0].start()
        asyncio.run(some(settings, 0))
        workers[1].start()
        asyncio.run(some(settings, 40))
        until(lambda: len(here.states) == 80, 90)
        assert workers[0].stop() == 0
        asyncio.run(some(settings, 80))
        until(lambda: len(here.states) == 120, 90)
        away.server.fault = None
        until(lambda: len(away.states) == 120, 90)
        time.sleep(2)
        assert workers[1].stop() == 0
    assert (here.repeats, away.repeats) == (0, 0)
