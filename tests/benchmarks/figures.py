"""`python -m tests.benchmarks.figures [MENTIONS]`: what a mention costs the brand and fit rules, in
time, memory and state (docs/brand.md)."""

from __future__ import annotations

import asyncio
import gc
import random
import resource
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import process_time

import msgspec

from agents.fit import fit as fit_of
from agents.flow import Incoming, Ledger, Origin
from listener.brand import BrandPolicy, BrandState
from listener.brand import observe as watch
from listener.codec import encode
from listener.fit import FitPolicy, SegmentState, due, indices, signals
from listener.fit import observe as count
from listener.records import BrandEvidence, FitEvidence
from listener.sources.masking import mask_bytes
from listener.topics import STATE_SEGMENTS
from models.labels import ISSUES

START = datetime(2026, 1, 5, tzinfo=UTC)
HOURLY = 1000
SEGMENTS = 20
BATCH = 64
DIMENSIONS = ("heard", "learning_difficulty", "unwillingness", "mismatch", "success")
BRAND, FIT = BrandPolicy(), FitPolicy()
SIZES = {(f"s{n}", band): 500 for n in range(SEGMENTS) for band in ("0-7", "8-30", "31-90", "91+")}


def mentions(rng: random.Random) -> Iterator[BrandEvidence]:
    """A thousand an hour, a third of them negative, a twentieth copies."""
    at, number = START, 0
    while True:
        at += timedelta(seconds=rng.expovariate(HOURLY / 3600))
        number += 1
        print_ = f"{rng.getrandbits(64) if rng.random() > 0.05 else 255:016x}"
        yield BrandEvidence(
            mention_id=f"x:{number}", brand="Acme", event_time=at,
            author=f"{rng.getrandbits(20):012x}", negative=rng.betavariate(1, 2),
            weight=rng.random(), issue=rng.choice(ISSUES), fingerprint=print_,
            channel=rng.choice(("public", "public", "support")), reach=rng.randrange(1000),
        )  # fmt: skip


def events(rng: random.Random) -> Iterator[FitEvidence]:
    """What the same mentions are for fit: one event each, of twenty segments."""
    for mention in mentions(rng):
        yield FitEvidence(
            mention_id=mention.mention_id, customer_id=mention.author,
            segment=f"s{rng.randrange(SEGMENTS)}", dimension=rng.choice(DIMENSIONS),
            issue=mention.issue, event_time=mention.event_time,
            tenure_days=rng.uniform(0, 200), quality=rng.uniform(0.3, 1), link=1.0, brand="Acme",
        )  # fmt: skip


def brand(total: int) -> None:
    state, stream, told = BrandState(), mentions(random.Random(1)), 0
    for part in range(4):
        batch = list(islice(stream, total // 4))
        began = process_time()
        for mention in batch:
            told += len(watch(mention, state, BRAND))
        report(f"brand, {(part + 1) * total // 4} mentions", process_time() - began, len(batch))
        del batch
        print(f"  {told} figures; state {size(state)}, of which waiting {size(state.pending)}")


def fit(total: int) -> None:
    everyone, states = SegmentState(), {f"s{n}": SegmentState() for n in range(SEGMENTS)}
    stream, told = events(random.Random(2)), 0
    for part in range(4):
        batch = list(islice(stream, total // 4))
        began = process_time()
        for event in batch:
            if (hour := due(event.event_time, everyone)) is not None:
                found = signals(states, SIZES, FIT, now=hour)
                told += len(found) + len(indices(found, SIZES, FIT, now=hour))
            count(event, states[event.segment], everyone, FIT)
        report(f"fit, {(part + 1) * total // 4} events", process_time() - began, len(batch))
        del batch
        print(f"  {told} signals looked at; state of a segment {size(states['s0'])}")


async def fit_hop(total: int) -> None:
    """The hop with its state, with and without a copy of each state before each record."""
    stream = events(random.Random(3))
    warm = [incoming(n, event) for n, event in enumerate(islice(stream, total))]
    for copies in (True, False):
        ledger = Ledger({}, topic=STATE_SEGMENTS, kind=SegmentState, snapshots=copies)
        hop = fit_of(ledger, lambda now: SIZES, policy=FIT, mask=mask_bytes)
        began = process_time()

        async def batches() -> AsyncIterator[list[Incoming]]:
            for start in range(0, total, BATCH):
                yield warm[start : start + BATCH]

        async for _ in hop(batches()):
            pass
        report(f"fit hop, {'copies' if copies else 'again after a failure'}, {total} events",
               process_time() - began, total)  # fmt: skip


def incoming(number: int, event: FitEvidence) -> Incoming:
    origin = Origin("raw.0/0", number)
    return Incoming("t", 0, number, b"s", encode(event), event.event_time, origin)


def report(name: str, seconds: float, number: int) -> None:
    gc.collect()
    with open("/proc/self/statm") as pages:
        resident = int(pages.read().split()[1]) * resource.getpagesize() / 2**20
    print(f"{name}: {1e6 * seconds / number:.0f} µs each, resident {resident:.0f} MiB")


def size(state: object) -> str:
    return f"{len(msgspec.json.encode(state)) / 1000:.0f} kB"


def main() -> None:
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    brand(total)
    fit(total)
    asyncio.run(fit_hop(total // 20))


if __name__ == "__main__":
    main()
