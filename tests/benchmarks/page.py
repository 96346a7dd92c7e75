"""The page under load: `python -m tests.benchmarks.page [URL]`; `postgresql` for the URL starts a
server of its own.

Fills a read model with a million mentions, times every query that a page makes, then serves it on
loopback to 200 event streams and 50 requests a second for a minute. `LISTENER_BENCH_MENTIONS` and
`LISTENER_BENCH_SECONDS` make it smaller.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import httpx
import msgspec
import uvicorn
from sqlalchemy import insert, text

from listener.records import Author
from listener.store import AlertFilter, MentionFilter, Received, Store
from listener.store.rows import HOUR, mention_row, subject_row
from listener.store.tables import mentions, subjects
from listener.store.writing import count
from listener.web import Access, Change, Hub, Site, create_app
from listener.web.limits import Limit
from listener.web.view_brand import reckon
from tests.alerts import alert
from tests.brokers import free_port
from tests.databases import postgresql
from tests.web.pages import figure, signal
from tests.worlds import labels, linked

MENTIONS: Final = int(os.environ.get("LISTENER_BENCH_MENTIONS", "1000000"))
SECONDS: Final = float(os.environ.get("LISTENER_BENCH_SECONDS", "60"))
STREAMS: Final = 200
RATE: Final = 50
TIMES: Final = 60
CHUNK: Final = 5000
END: Final = datetime(2026, 5, 4, 12, tzinfo=UTC)
ISSUES: Final = ("billing", "outage", "product", "staff", "delivery", "account")
WORDS: Final = [f"word{n}" for n in range(4000)] + ["the", "router", "is", "broken"] * 400


def message(n: int, rng: random.Random) -> Any:
    """One of a month's messages; words by a steep law, as in any language."""
    at = END - timedelta(seconds=28 * 86_400 * (1 - n / MENTIONS))
    said = " ".join(rng.choices(WORDS, k=18)) + (" needle" if n % 20_000 == 7 else "")
    found = linked(
        n, at=at, text=said, brands=(rng.choice(["Acme", "Acme", "Acme", "Bolt"]),),
        judged=labels(issue=rng.choice(ISSUES), negative=rng.choice([0.1, 0.9])),
        author=Author(id=f"a{n % 200_000}"),
    )  # fmt: skip
    return msgspec.structs.replace(found, subject=f"x:a{n % 200_000}")


async def fill(store: Store) -> None:
    rng = random.Random(3)
    people: dict[str, Any] = {}
    for start in range(0, MENTIONS, CHUNK):
        told = [message(n, rng) for n in range(start, min(start + CHUNK, MENTIONS))]
        rows = [mention_row(each, written=1) for each in told]
        people |= {each.subject: subject_row(each) for each in told}
        async with store._write() as connection:
            await connection.execute(insert(mentions), rows)
            await count(connection, rows, {})
    async with store._write() as connection:
        await connection.execute(insert(subjects), list(people.values()))
    await rest(store)
    async with store._write() as connection:
        await connection.execute(text("ANALYZE"))


async def rest(store: Store) -> None:
    """A thousand alerts, a month of figures every five minutes, signals."""
    records: list[object] = [
        alert(f"a{n}", priority=f"P{1 + n % 3}", subject=f"x:a{n}", evidence=(f"x:{n * 7}",),
              state="open" if n % 2 else "resolved", resolved_at=None if n % 2 else END)
        for n in range(1000)
    ]  # fmt: skip
    steps = 28 * 288
    records += [
        figure(at=END - timedelta(seconds=300 * n), brand=b)
        for n in range(steps)
        for b in ("Acme", "Bolt")
    ]
    records += [signal(f"s{n}", dimension=d) for n in range(20) for d in ("mismatch", "success")]
    for start in range(0, len(records), 1000):
        part = records[start : start + 1000]
        received = [Received("t", 0, start + i, 1, b"k", record) for i, record in enumerate(part)]
        await store.take(received, {("t", 0): start + len(part)})


def site_of(store: Store) -> Site:
    wide = Limit(rate=1e6, burst=1e6)
    return Site(store=store, access=Access(), hub=Hub(), closing=asyncio.Event(),
                clock=lambda: END, reads=wide, writes=wide)  # fmt: skip


Query = Callable[[random.Random], Awaitable[object]]


def queries(store: Store) -> dict[str, Query]:
    find, site = store.mentions.find, site_of(store)
    hour = END.timestamp() - 30 * HOUR
    return {
        "inbox": lambda r: store.alerts.find(AlertFilter(), actor="ann"),
        "inbox by channel": lambda r: store.alerts.find(AlertFilter(channel="public")),
        "inbox counts": lambda r: store.alerts.counts(actor="ann"),
        "alert": lambda r: store.alerts.get(f"a{r.randrange(1000)}"),
        "thread": lambda r: store.mentions.threads([f"x:{r.randrange(MENTIONS)}"]),
        "earlier contacts": lambda r: find(MentionFilter(subject=f"x:a{r.randrange(200_000)}")),
        "newest mentions": lambda r: find(MentionFilter()),
        "by brand and issue": lambda r: find(MentionFilter(brand="Bolt", issue=r.choice(ISSUES))),
        "by sentiment since": lambda r: find(MentionFilter(sentiment="pos", since=hour)),
        "search, rare word": lambda r: find(MentionFilter(q="needle")),
        "search, common word": lambda r: find(MentionFilter(q="router")),
        "search, two words": lambda r: find(MentionFilter(q=f"word{r.randrange(4000)} router")),
        "search, word of a brand": lambda r: find(MentionFilter(q=f"word{r.randrange(4000)}",
                                                                brand="Bolt")),
        "search, beginning of 11 words": lambda r: find(
            MentionFilter(q=f"word{r.randrange(100, 400)}*")
        ),
        "search, beginning of 1,111 words": lambda r: find(
            MentionFilter(q=f"word{r.randrange(1, 4)}*")
        ),
        "brand, 24 h": lambda r: reckon(site, "Acme", "24h"),
        "brand, 7 d": lambda r: reckon(site, "Acme", "7d"),
        "brand, 28 d": lambda r: reckon(site, "Acme", "28d"),
        "fit": lambda r: store.figures.signals(),
        "stages": lambda r: store.figures.stages(),
        "count of mentions": lambda r: store.mentions.count(),
        "dead letters": lambda r: store.ledger.letters(),
    }  # fmt: skip


async def measure(store: Store) -> None:
    rng = random.Random(5)
    print("| query | p50, ms | p95, ms |\n|---|---|---|")
    for name, query in queries(store).items():
        took = []
        for _ in range(TIMES):
            began = time.perf_counter()
            await query(rng)
            took.append(1000 * (time.perf_counter() - began))
        cuts = quantiles(took[5:], n=20)
        print(f"| {name} | {cuts[9]:.1f} | {cuts[18]:.1f} |", flush=True)


async def serve(url: str, port: int) -> None:
    """The page, with five changes a second."""
    store = await Store.open(url)
    site = site_of(store)
    server = uvicorn.Server(uvicorn.Config(create_app(site), port=port, log_level="error"))
    serving = asyncio.ensure_future(server.serve())
    while not serving.done():
        site.hub.publish([Change("alert", f"a{random.randrange(1000)}"), Change("mentions")])
        await asyncio.sleep(0.2)


PATHS: Final = (
    "/", "/inbox/list", "/inbox/alert/a7", "/api/v1/alerts", "/api/v1/inbox", "/brand?range=7d",
    "/api/v1/brands/Acme?range=7d", "/mentions?q=router", "/mentions", "/fit",
)  # fmt: skip


async def load(base: str) -> None:
    events, took, errors = [0] * STREAMS, [], Counter[str]()
    limits = httpx.Limits(max_connections=STREAMS + 200)
    async with httpx.AsyncClient(base_url=base, limits=limits, timeout=30) as http:

        async def follow(number: int) -> None:
            async with http.stream("GET", "/api/v1/events", timeout=None) as answer:
                async for line in answer.aiter_lines():
                    events[number] += line.startswith("event:")

        async def ask(path: str) -> None:
            began = time.perf_counter()
            try:
                answer = await http.get(path)
                errors[str(answer.status_code)] += answer.status_code != 200
            except httpx.HTTPError as error:
                errors[type(error).__name__] += 1
            took.append(1000 * (time.perf_counter() - began))

        following = [asyncio.ensure_future(follow(n)) for n in range(STREAMS)]
        await asyncio.sleep(3)
        asked: list[Any] = []
        began = time.perf_counter()
        for n in range(int(RATE * SECONDS)):
            await asyncio.sleep(max(began + n / RATE - time.perf_counter(), 0))
            asked.append(asyncio.ensure_future(ask(PATHS[n % len(PATHS)])))
        await asyncio.gather(*asked)
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
    cuts = quantiles(took, n=100)
    print(f"{len(took)} requests at {RATE}/s beside {STREAMS} streams: p50 {cuts[49]:.0f} ms, "
          f"p95 {cuts[94]:.0f} ms, p99 {cuts[98]:.0f} ms, errors {sum(errors.values())} "
          f"{dict(+errors)}, events a stream {min(events)} to {max(events)}")  # fmt: skip


def resident(pid: int) -> float:
    """Megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


async def main(url: str) -> None:
    store = await Store.open(url)
    if await store.mentions.count() < MENTIONS:
        began = time.perf_counter()
        await fill(store)
        print(f"{MENTIONS} mentions written in {time.perf_counter() - began:.0f} s", flush=True)
    if "LISTENER_BENCH_LOAD" not in os.environ:
        await measure(store)
    await store.close()
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.page", "--serve", url, str(port)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with suppress(httpx.HTTPError):
                httpx.get(f"http://127.0.0.1:{port}/healthz")
                break
            await asyncio.sleep(0.3)
        before = resident(server.pid)
        await load(f"http://127.0.0.1:{port}")
        print(f"resident {before:.0f} MB before, {resident(server.pid):.0f} MB after")
    finally:
        server.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(sys.argv[2], int(sys.argv[3])))
    elif sys.argv[1:] == ["postgresql"]:
        with postgresql() as address:
            asyncio.run(main(address))
    elif len(sys.argv) > 1:
        asyncio.run(main(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(main(f"sqlite:///{folder}/model.db"))
