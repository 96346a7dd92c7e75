"""Customers from a file into the directory of a worker, on the embedded broker."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from listener.codec import decode, encode
from listener.feed import producer, read_topic, replay
from listener.records import Linked, ManualLink
from listener.settings import Settings
from listener.sources.files import RawRecord
from listener.topics import CUSTOMERS, IDENTITIES, LINKED, MANUAL_LINKS
from tests.brokers import Worker, broker
from tests.directories import KEY
from tests.ledger import wait_for, wait_for_directory
from tests.worlds import NOW

ROWS = """id,name,since,E-Post,mastodon,segment
C1,Ann Quastenberg,2026-01-01,ann@mail.example,,promo
C2,Bob Stone,2026-01-02,nobody,,promo
C3,Cleo Dratiow,2026-01-03,,@cleodratiow,web
"""
Import = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    with broker("embedded", policy=None) as found:
        yield found


def run_import(settings: Settings, *arguments: str) -> Import:
    environment = {"LISTENER_BROKER": settings.broker, "LISTENER_IDENTITY_KEY": KEY}
    return subprocess.run(
        [sys.executable, "-m", "listener", "customers", "import", *arguments],
        env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def message(number: int, author: str, name: str | None = None, **hints: str) -> RawRecord:
    content = {
        "id": str(number), "network": "bluesky", "text": "third week without internet",
        "author": {"id": f"a{author}", "handle": author, "name": name}, "hints": hints,
        "created_at": NOW.isoformat(),
    }  # fmt: skip
    return RawRecord(author.encode(), json.dumps(content).encode(), NOW)


def linked(settings: Settings) -> dict[str, Linked]:
    records = [decode(m.value, Linked) for m in asyncio.run(read_topic(settings, LINKED.name))]
    return {record.mention.mention_id: record for record in records}


async def say(settings: Settings, record: ManualLink) -> None:
    client = producer(settings)
    await client.start()
    await client.send_and_wait(MANUAL_LINKS.name, encode(record), record.author.encode())
    await client.stop()


def test_a_file_becomes_links(settings: Settings, tmp_path: Path) -> None:
    """Import, import again, link by address, by resemblance and by hand, and erase."""
    file = tmp_path / "crm.csv"
    file.write_text(ROWS, encoding="utf-8")
    first = run_import(settings, str(file), "--map", "email=E-Post")
    assert first.returncode == 1
    assert "2 sent, 0 unchanged, 0 erased, 1 bad" in first.stdout
    assert "line 3: $.emails[0]: not an e-mail address" in " ".join(first.stderr.split())
    again = run_import(settings, str(file), "--map", "email=E-Post", "--json")
    assert json.loads(again.stdout) == {"sent": 0, "unchanged": 2, "erased": 0, "bad": 1}
    assert all(b"mail.example" not in m.value for m in _read(settings, CUSTOMERS.name))

    worker = Worker(settings, LISTENER_IDENTITY_KEY=KEY)
    worker.start()
    try:
        wait_for_directory(settings, customers=2)
        known = message(1, "x1", email="ANN@mail.example")
        sent = [known, message(2, "cleodratiow", "Cleo Dratiow"), message(3, "stranger")]
        asyncio.run(replay(settings, "raw.canonical", sent, speed=None))
        wait_for(settings, inputs=3, seconds=60)
        found = {m: r.link for m, r in linked(settings).items()}
        assert (found["bluesky:1"].customer_id, found["bluesky:1"].basis) == ("C1", "email_hash")
        assert (found["bluesky:2"].customer_id, found["bluesky:2"].tier) == ("C3", "T3")
        assert linked(settings)["bluesky:2"].subject == "bluesky:acleodratiow"
        assert found["bluesky:3"].customer_id is None

        hand = ManualLink(author="bluesky:astranger", customer_id="C1", linked=True, actor="jo",
                          at=NOW, action_id="1")  # fmt: skip
        asyncio.run(say(settings, hand))
        assert run_import(settings, "--erase", "C3").returncode == 0
        _wait_for_tombstones(settings, "C3")
        sent = [message(4, "stranger"), message(5, "cleodratiow", "Cleo Dratiow")]
        asyncio.run(replay(settings, "raw.canonical", sent, speed=None))
        wait_for(settings, inputs=5, seconds=60)
        found = {m: r.link for m, r in linked(settings).items()}
        assert (found["bluesky:4"].customer_id, found["bluesky:4"].basis) == ("C1", "manual")
        assert found["bluesky:5"].tier == "none"
    finally:
        assert worker.stop() == 0


def _read(settings: Settings, topic: str) -> list[Any]:
    return asyncio.run(read_topic(settings, topic))


def _wait_for_tombstones(settings: Settings, customer: str) -> None:
    """Until nothing of a customer is left, and the worker has read that."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        newest = {m.key: m.value for m in _read(settings, IDENTITIES.name)}
        mine = [value for key, value in newest.items() if key.endswith(f"|{customer}".encode())]
        manual = [key for key, value in newest.items() if key.startswith(b"bluesky:a") and value]
        if mine and not any(mine) and manual:
            time.sleep(1.5)
            return
        time.sleep(0.3)
    raise AssertionError(f"{customer} is still in the directory")
