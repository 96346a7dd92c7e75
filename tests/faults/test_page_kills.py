"""Kills of the web process while the topics fill: the read model is that of a quiet rebuild."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy import select

from listener.codec import encode
from listener.projection import KINDS, Projection
from listener.records import Forget
from listener.settings import Settings
from listener.store import Store, database
from listener.store.ledger import LedgerReads
from listener.store.tables import PROJECTED, forgotten, hours, issue_hours, offsets
from listener.topics import ALERTS, BRAND_RISK, FIT_SIGNALS, LINKED, MENTIONS
from tests.alerts import alert
from tests.brokers import broker, free_port
from tests.databases import postgresql
from tests.web.pages import figure, signal
from tests.worlds import NOW, labels, linked

KILLS: Final = int(os.environ.get("LISTENER_FAULT_KILLS", "3"))
RECORDS: Final = 4000
SENDING_SECONDS: Final = 8.0 * KILLS
PATIENCE: Final = 120.0


@pytest.fixture
def settings() -> Iterator[Settings]:
    with broker("embedded", policy=None) as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/model.db"
        return
    with postgresql() as found:
        yield found


def story(rng: random.Random, turn: int) -> list[tuple[str, str, object]]:
    """Topic, key and record: messages that change, alerts that grow, figures, a deletion."""
    number = turn % (RECORDS // 2)
    at = NOW + timedelta(seconds=30 * number, milliseconds=turn)
    issue = rng.choice(["billing", "outage", "staff"])
    name = f"{turn % 97}"
    told: list[tuple[str, str, object]] = [
        (LINKED.name, f"s{number}", linked(number, text=f"text {turn}", judged=labels(issue=issue),
                                           at=at)),
        (ALERTS.name, name, alert(name, version=turn, snippet=f"turn {turn}")),
    ]  # fmt: skip
    if turn % 5 == 0:
        told.append((BRAND_RISK.name, "Acme", figure(at=at, brand_risk=float(turn % 100))))
    if turn % 7 == 0:
        told.append((FIT_SIGNALS.name, name, signal(f"s{turn % 11}", at=at)))
    return told


async def send(settings: Settings) -> None:
    rng = random.Random(11)
    producer = AIOKafkaProducer(linger_ms=2, **settings.kafka)
    await producer.start()
    try:
        for turn in range(RECORDS):
            for topic, key, record in story(rng, turn):
                await producer.send(topic, encode(record), key.encode())
            if turn % 100 == 0:
                await producer.flush()
                await asyncio.sleep(SENDING_SECONDS / (RECORDS / 100))
        late = Forget(mention_id="x:never", reason="deleted", requested_at=datetime.now(UTC))
        await producer.send_and_wait(MENTIONS.name, encode(late), b"x:ann")
    finally:
        await producer.stop()


def start(settings: Settings, url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "listener", "web"],
        env=os.environ
        | {
            "LISTENER_BROKER": settings.broker,
            "LISTENER_DATABASE": url,
            "LISTENER_WEB_PORT": str(free_port()),
            "LISTENER_LOG_LEVEL": "WARNING",
        },
        stdout=subprocess.DEVNULL,
    )


async def content(url: str) -> dict[str, Any]:
    """Every projected row but its own number and the time of a deletion."""
    store = await Store.open(url)
    found: dict[str, Any] = {}
    async with store._reader.connect() as connection:
        for table in PROJECTED:
            hidden = {"id"} | ({"at", "scrubbed"} if table is forgotten else set())
            columns = [column for column in table.columns if column.name not in hidden]
            rows = [tuple(row) for row in await connection.execute(select(*columns))]
            if table in (hours, issue_hours):
                rows = [row for row in rows if any(row[len(table.primary_key) :])]
            found[table.name] = sorted(rows, key=repr)
    await store.close()
    return found


async def behind(settings: Settings, url: str) -> int:
    """Records that the read model has yet to take."""
    store = await Store.open(url)
    probe = Projection(settings, store, publish=lambda _: None)
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **settings.kafka)
    await consumer.start()
    try:
        await probe._place(consumer)
        return sum(probe.lag().values())
    finally:
        await consumer.stop()
        await store.close()


def await_level(settings: Settings, url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while asyncio.run(behind(settings, url)):
        assert time.monotonic() < deadline, "the read model did not catch up"
        time.sleep(0.5)


async def taken(url: str) -> int:
    """Reads only: to open a store takes the writer's lock, and asked without a pause it would keep
    the page from writing."""
    engine = database.connect(database.read_url(url), writes=False)
    found = sum((await LedgerReads(engine).offsets()).values())
    await engine.dispose()
    return found


async def make(url: str) -> None:
    await (await Store.open(url)).close()


def test_kills_lose_nothing_and_double_nothing(settings: Settings, url: str) -> None:
    """kill -9 at random moments, then equal to a rebuilt one, row by row."""
    rng, progress = random.Random(), []
    asyncio.run(make(url))
    sending = threading.Thread(target=lambda: asyncio.run(send(settings)))
    sending.start()
    for _ in range(KILLS):
        process = start(settings, url)
        before = asyncio.run(taken(url))
        while asyncio.run(taken(url)) <= before and sending.is_alive():
            time.sleep(0.05)
        time.sleep(rng.uniform(0.0, 1.5))
        process.kill()
        process.wait()
        progress.append(asyncio.run(taken(url)))
    assert len(set(progress)) > 1, "no kill came in the middle"
    sending.join()
    process = start(settings, url)
    await_level(settings, url)
    process.terminate()
    process.wait(20)
    killed = asyncio.run(content(url))
    emptied = [sys.executable, "-m", "listener", "web", "rebuild"]
    subprocess.run(emptied, env=os.environ | {"LISTENER_DATABASE": url}, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    assert not any(asyncio.run(content(url)).values())
    process = start(settings, url)
    await_level(settings, url)
    process.terminate()
    process.wait(20)
    rebuilt = asyncio.run(content(url))
    assert len(killed["mentions"]) == RECORDS // 2
    for name in killed:
        assert killed[name] == rebuilt[name], name
    assert {topic for topic, *_ in killed[offsets.name]} <= set(KINDS)
