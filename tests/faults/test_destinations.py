"""A destination that is away during a replay, and comes back.

`LISTENER_AWAY_SECONDS=600 LISTENER_AWAY_ALERTS=6000` is the long run of docs/benchmarks.md; the
default is short enough for every test run.
"""

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from listener.codec import decode, encode
from listener.feed import dead_letters
from listener.records import Alert
from listener.settings import Settings
from tests.alerts import alert
from tests.brokers import Worker, broker, free_port
from tests.destinations.server import Answer, Request, Server, serving
from tests.worlds import NOW

SECONDS = float(os.environ.get("LISTENER_AWAY_SECONDS", "12"))
ALERTS = int(os.environ.get("LISTENER_AWAY_ALERTS", "300"))
KIND = "apache" if "KAFKA_HOME" in os.environ else "embedded"


class Destination:
    """Notices in the order in which they came, and how long after their alert."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.versions: dict[str, list[int]] = defaultdict(list)
        self.states: dict[str, str] = {}
        self.delays: list[float] = []
        self.server: Server

    def __call__(self, request: Request) -> Answer:
        came = decode(request.body, Alert)
        self.keys.append(request.headers["idempotency-key"])
        self.versions[came.alert_id].append(came.version)
        self.states[came.alert_id] = came.state
        # `score` carries the time at which the alert was sent.
        self.delays.append(time.time() - came.score)
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


async def send(settings: Settings, *, seconds: float, worker: Worker, memory: list[int]) -> None:
    """Alerts at a steady pace: each opens, is acknowledged, and every second one is resolved."""
    async with AIOKafkaProducer(**settings.kafka) as client:
        began = time.monotonic()
        for number in range(ALERTS):
            await asyncio.sleep(max(began + seconds * number / ALERTS - time.monotonic(), 0))
            for version, at in ((1, number), (2, number - 20), (3, number - 40)):
                if at < 0 or (version == 3 and at % 2):
                    continue
                state = ("open", "acknowledged", "resolved")[version - 1]
                changed = alert(
                    f"a{at}",
                    state=state,
                    version=version,
                    priority=("P1", "P2", "P3")[at % 3],
                    score=time.time(),
                    opened_at=NOW + timedelta(seconds=at),
                    snippet="a text of some length " * 8,
                )
                await client.send(settings_topic(), encode(changed), f"a{at}".encode())
            if number % max(ALERTS // 40, 1) == 0:
                memory.append(rss(worker.pid))
        await client.flush()


def settings_topic() -> str:
    from listener import topics

    return topics.ALERTS.name


def expected() -> dict[str, str]:
    """The last state of each alert that was sent."""
    found = {f"a{n}": "open" for n in range(ALERTS)}
    found |= {f"a{n}": "acknowledged" for n in range(ALERTS - 20)}
    return found | {f"a{n}": "resolved" for n in range(0, ALERTS - 40, 2)}


def until(done: object, seconds: float) -> float:
    assert callable(done)
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
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "receivers:\n  here: {sink: webhook, url_env: HERE}\n"
        "  away: {sink: webhook, url_env: AWAY}\n"
        "delivery: {breaker_seconds: 1, wait_max_seconds: 5}\n"
    )
    memory: list[int] = []
    with destination() as here, destination() as away, broker(KIND, policy=policy) as settings:
        away.server.fault = Answer(503, "", {"Retry-After": "1"})
        worker = Worker(
            settings,
            HERE=here.server.url,
            AWAY=away.server.url,
            LISTENER_METRICS_PORT=str(free_port()),
        )
        worker.start()
        for part in range(kills + 1):
            if part:
                worker.kill()
                worker.start()
            if part == 0:
                asyncio.run(send(settings, seconds=SECONDS, worker=worker, memory=memory))
        until(lambda: here.states == expected(), 60)
        assert away.keys == []
        away.server.fault = None
        back = until(lambda: away.states == expected(), 60 + ALERTS / 20)
        time.sleep(1.5)
        memory.append(rss(worker.pid))
        assert worker.stop() == 0
        letters = asyncio.run(dead_letters(settings))
    waits = sorted(here.delays)
    with capsys.disabled():
        os.write(1, (
            f"\naway for {SECONDS:.0f} s of {ALERTS} alerts, {kills} kills ({KIND}): here "
            f"{len(here.keys)} notices ({here.repeats} twice), p50 {waits[len(waits) // 2]:.3f} s, "
            f"p99 {waits[int(len(waits) * 0.99)]:.3f} s; away {len(away.keys)} notices "
            f"({away.repeats} twice) in {back:.1f} s once back, {away.server.requests.__len__()} "
            f"requests in all; memory {memory[0]} MB, then {memory[len(memory) // 2]} MB, "
            f"{max(memory)} MB at most, {memory[-1]} MB at the end\n"
        ).encode())  # fmt: skip
    assert letters == []
    for told in (here, away):
        assert told.repeats <= kills
        assert all(order == sorted(order) for order in told.versions.values())
    if not kills:
        assert waits[int(len(waits) * 0.99)] < 5.0
