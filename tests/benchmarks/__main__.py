"""`make bench`: speed of the whole flow as ratios within one run (docs/benchmarks.md)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from listener.codec import decode
from listener.demo.story import policy_text, story
from listener.feed import read_topic, replay
from listener.records import Alert
from listener.settings import Settings
from listener.sources.files import RawRecord
from listener.topics import ALERTS
from models.load import load
from tests.brokers import Worker, broker, free_port

MESSAGES = int(os.environ.get("LISTENER_BENCH_MESSAGES", "6000"))
TEXTS = int(os.environ.get("LISTENER_BENCH_TEXTS", "0")) or MESSAGES
"""Different texts; fewer than messages spare the model, to see the rest over a long run."""
RATE = 100
SECONDS = 30
START = datetime(2026, 5, 1, tzinfo=UTC)


def main() -> None:
    kind = "apache" if "KAFKA_HOME" in os.environ else "embedded"
    alone = model_only()
    with TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(policy_text(), encoding="utf-8")
        with broker(kind, policy=policy) as settings:
            flow(settings, kind, alone)
        with broker(kind, policy=policy) as settings:
            latency(settings)


def model_only() -> float:
    """Texts a second of the model by itself, on the same texts."""
    judge = load(threads=os.cpu_count() or 1)
    texts = [json.loads(record.value)["text"] for record in messages(2000, tag="alone")]
    began = time.perf_counter()
    for start in range(0, len(texts), 64):
        part = texts[start : start + 64]
        judge.judge(part, ["en"] * len(part))
    rate = len(texts) / (time.perf_counter() - began)
    print(f"model alone: {rate:.0f} texts/s")
    return rate


def flow(settings: Settings, kind: str, alone: float) -> None:
    """A backlog through one worker: ready time, rate, shares of the hops, memory."""
    asyncio.run(replay(settings, "raw.canonical", messages(MESSAGES, tag="flow"), speed=None))
    port = free_port()
    worker = Worker(settings, LISTENER_METRICS_PORT=str(port))
    began = time.perf_counter()
    worker.start()
    print(f"worker ready: {time.perf_counter() - began:.1f} s ({kind})")
    first, at_first = done(port, least=500), time.perf_counter()
    memory = [rss(worker.pid)]
    while done(port, least=0) < MESSAGES:
        time.sleep(1)  # a scrape costs the worker milliseconds
        memory.append(rss(worker.pid))
    rate = (MESSAGES - first) / (time.perf_counter() - at_first)
    print(f"end to end: {rate:.0f} mentions/s, {rate / alone:.0%} of the model alone")
    quarters = [memory[len(memory) * n // 4] for n in (1, 2, 3)]
    print(f"memory: {memory[0]} MB at 500 messages, then by quarter {quarters}, {memory[-1]} MB")
    shares(port)
    worker.stop()


def latency(settings: Settings) -> None:
    """Raw → alert at a steady rate, from the broker's own time stamps."""
    worker = Worker(settings)
    worker.start()
    steady = [
        record._replace(at=START + timedelta(seconds=n / RATE))
        for n, record in enumerate(messages(RATE * SECONDS, tag="steady"))
    ]
    asyncio.run(replay(settings, "raw.canonical", steady, speed=1.0))
    time.sleep(3)
    worker.stop()
    sent = {
        f"x:{json.loads(m.value)['id']}": m.timestamp
        for m in asyncio.run(read_topic(settings, "raw.canonical"))
    }
    first: dict[str, int] = {}
    for message in asyncio.run(read_topic(settings, ALERTS.name)):
        evidence = decode(message.value, Alert).evidence[-1]
        # What timers do with it later is no answer to the message.
        first[evidence] = min(first.get(evidence, message.timestamp), message.timestamp)
    waits = sorted(at - sent[evidence] for evidence, at in first.items())
    middle, late = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    print(f"raw to alert at {RATE}/s: p50 {middle} ms, p99 {late} ms ({len(waits)} alerts)")


def messages(count: int, *, tag: str) -> Iterator[RawRecord]:
    """The demo's posts again and again, each text and author a little different."""
    posts = [r for r in story(start=START) if json.loads(r.value)["network"] == "x"]
    for number in range(count):
        content = json.loads(posts[number % TEXTS % len(posts)].value)
        content["id"] = f"{tag}{number}"
        content["text"] += f" {number % TEXTS}"
        author = f"a{number % 3000}"
        content["author"] = {"id": author, "handle": author}
        at = START + timedelta(seconds=number)
        content["created_at"] = at.isoformat()
        yield RawRecord(author.encode(), json.dumps(content).encode(), at)


def done(port: int, *, least: int) -> int:
    """Records that `escalate` has taken, once they are `least`."""
    while True:
        found = re.search(r'listener_records_total\{hop="escalate"\} (\S+)', scrape(port))
        count = int(float(found[1])) if found else 0
        if count >= least:
            return count
        time.sleep(0.1)


def shares(port: int) -> None:
    found = re.findall(r'listener_hop_seconds_sum\{hop="(\w+)"\} (\S+)', scrape(port))
    total = sum(float(seconds) for _, seconds in found) or 1.0
    for hop, seconds in sorted(found, key=lambda item: -float(item[1])):
        print(f"  {hop}: {float(seconds) / total:.0%} of the time in hops")


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        body: bytes = answer.read()
    return body.decode()


def rss(pid: int) -> int:
    """Resident memory in MB."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") // 2**20


if __name__ == "__main__":
    main()
