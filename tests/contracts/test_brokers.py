"""What both brokers must do, and what the command line makes of a broker that is not there."""

import asyncio
import os
import random
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from faust.types import TP

from agents.flow import Batches, Hop, Outcome
from listener.broker import EmbeddedBroker
from listener.engine import Engine, GuardedConsumer, attach, build_engine, open_table
from listener.errors import BrokerError
from listener.feed import import_customers, read_topic
from listener.lanes import Lane
from listener.records import Customer
from listener.settings import Settings, load_settings
from listener.topics import CUSTOMERS, STATE_CUSTOMERS
from tests.brokers import broker, free_port
from tests.lanes import Silent
from tests.worlds import NOW


@pytest.fixture(scope="module", params=["embedded", "apache"])
def settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    with broker(request.param, policy=None) as found:
        yield found


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "listener", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_is_sent_is_read_again_in_order_for_each_key(settings: Settings) -> None:
    """Same key, same partition, same order."""
    sent = [
        Customer(customer_id=f"c{n % 3}", segment=str(n), since=NOW, value=n) for n in range(30)
    ]
    asyncio.run(import_customers(settings, sent))
    messages = asyncio.run(read_topic(settings, CUSTOMERS.name))
    for key in (b"c0", b"c1", b"c2"):
        mine = [m for m in messages if m.key == key]
        assert len({m.partition for m in mine}) == 1
        assert [m.offset for m in mine] == sorted(m.offset for m in mine)
        assert len(mine) == 10


class Leaky(Lane):
    """A lane before which records get lost, each at most once, as Faust may lose them."""

    def __init__(self, *arguments: Any, losing: random.Random, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lost: set[tuple[int, int]] = set()
        self._losing = losing

    def _put(self, event: Any) -> None:
        place = (event.message.partition, event.message.offset)
        if place not in self.lost and self._losing.random() < 0.05:
            self.lost.add(place)
        else:
            super()._put(event)


def test_what_the_engine_drops_is_read_again_in_its_place(settings: Settings) -> None:
    """Order and completeness hold on a real broker: the first, the last and any record between."""
    sent = 400
    records = [Customer(customer_id=f"d{n}", since=NOW) for n in range(sent)]
    asyncio.run(import_customers(settings, records))
    stored = [(m.partition, m.offset) for m in asyncio.run(read_topic(settings, CUSTOMERS.name))]
    taken: list[tuple[int, int]] = []
    lost = asyncio.run(_through_a_leak(settings, taken, until=len(stored)))
    assert len(lost) > 5
    assert sorted(taken) == sorted(stored), "nothing is missing, nothing is taken twice"
    for partition in {place for place, _ in stored}:
        mine = [offset for place, offset in taken if place == partition]
        assert mine == sorted(mine)


async def _through_a_leak(
    settings: Settings, taken: list[tuple[int, int]], *, until: int
) -> set[tuple[int, int]]:
    engine = build_engine(settings.model_copy(update={"group": f"leak-{random.random()}"}))
    lane = Leaky("leaky", _collecting(taken), losing=random.Random(5), **_options(engine))
    await _run(engine, lane, taken, until=until)
    return lane.lost


def test_what_comes_in_during_a_seek_is_read_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch that ends while a slow worker still asks where to begin: what it brings is dropped,
    and no later record tells that it is missing. CI's machine once stood still for that."""
    asked = GuardedConsumer.earliest_offsets

    async def slow(consumer: GuardedConsumer, *places: TP) -> Any:
        found = await asked(consumer, *places)
        await asyncio.sleep(3)
        return found

    monkeypatch.setattr(GuardedConsumer, "earliest_offsets", slow)
    records = [Customer(customer_id=f"s{n}", since=NOW) for n in range(20)]
    asyncio.run(import_customers(settings, records))
    stored = asyncio.run(read_topic(settings, CUSTOMERS.name))
    asyncio.run(_remember(settings))
    taken: list[tuple[int, int]] = []
    engine = build_engine(settings.model_copy(update={"group": f"slow-{random.random()}"}))
    open_table(engine, STATE_CUSTOMERS, width=4)
    lane = Lane("slow", _collecting(taken), **_options(engine))
    asyncio.run(_run(engine, lane, taken, until=len(stored)))
    assert sorted(taken) == sorted((m.partition, m.offset) for m in stored)


async def _remember(settings: Settings) -> None:
    """State to recover: fetching begins with it, before the place in the topics is known."""
    async with AIOKafkaProducer(**settings.kafka) as client:
        await client.send_and_wait(STATE_CUSTOMERS.name, b"{}", b"k", partition=0)


def _collecting(taken: list[tuple[int, int]]) -> Hop:
    async def collect(batches: Batches) -> AsyncIterator[Outcome]:
        async for batch in batches:
            taken.extend((i.partition, i.offset) for i in batch)
            yield Outcome([])

    return collect


def _options(engine: Engine) -> dict[str, Any]:
    return {
        "engine": engine,
        "limit": 16,
        "gather": 0.0,
        "watch": Silent(),
        "fatal": lambda name, error: None,
    }


async def _run(engine: Engine, lane: Lane, taken: list[tuple[int, int]], *, until: int) -> None:
    attach(engine, lane.name, [CUSTOMERS.name], lane)
    engine.finalize()
    await engine.start()
    async with asyncio.timeout(60):
        while len(taken) < until:
            await asyncio.sleep(0.05)
    await engine.stop()


def test_a_missing_topic_is_named_with_its_remedy(settings: Settings) -> None:
    """`listener topics create` is the answer."""
    with pytest.raises(BrokerError, match="topic no.such is missing; make it"):
        asyncio.run(read_topic(settings, "no.such"))


def test_topics_are_made_once_and_checked(settings: Settings) -> None:
    """On a real cluster: create is repeatable, show finds a wrong partition count."""
    if "127.0.0.1" not in settings.broker or run_kind(settings) == "embedded":
        pytest.skip("the embedded broker makes its topics at the start and knows no admin calls")
    again = run("topics", "create", LISTENER_BROKER=settings.broker)
    assert (again.returncode, again.stdout) == (0, "0 topics made\n")
    assert run("topics", "show", LISTENER_BROKER=settings.broker).returncode == 0
    wrong = run(
        "topics", "show", "--json", LISTENER_BROKER=settings.broker, LISTENER_PARTITIONS="5"
    )
    assert wrong.returncode == 1
    assert "4 partitions, not 5: set LISTENER_PARTITIONS=4" in wrong.stdout


def run_kind(settings: Settings) -> str:
    """Apache Kafka stores its topics' settings, the embedded broker has none."""
    found = run("topics", "show", "--json", LISTENER_BROKER=settings.broker)
    return "apache" if "compact,delete" in found.stdout and found.returncode == 0 else "embedded"


def test_a_broker_that_is_not_there_is_one_line() -> None:
    """Key, value and remedy; no traceback; exit code 2."""
    address = f"127.0.0.1:{free_port()}"
    for command in (("worker",), ("dead-letters", "list"), ("topics", "show")):
        done = run(*command, LISTENER_BROKER=address, LISTENER_METRICS_PORT="0")
        assert done.returncode == 2, done.stderr
        assert f"LISTENER_BROKER={address}" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_taken_port_is_named() -> None:
    """The embedded broker never starts half."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError, match=f"--port {port}: cannot listen there"):
            EmbeddedBroker({"t": 1}, port=port).start()


def test_a_chosen_port_is_served_and_free_again_afterwards() -> None:
    """`listener broker --port`: clients bootstrap there; a clean stop leaves nothing behind."""
    port = free_port()
    for _ in range(2):
        with EmbeddedBroker({"listener.customers": 2}, port=port) as embedded:
            assert embedded.address == f"127.0.0.1:{port}"
            found = load_settings(broker=embedded.address)
            assert asyncio.run(read_topic(found, "listener.customers")) == []
