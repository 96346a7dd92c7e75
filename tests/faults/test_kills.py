"""Kills of the worker and of the broker, on Apache Kafka.

`LISTENER_FAULT_FILE`, `LISTENER_FAULT_FORMAT` and `LISTENER_FAULT_KILLS` run it on another stream
and harder; the default is short enough for every test run.
"""

import asyncio
import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from listener.cluster import create_topics
from listener.demo.story import people, policy_text, story
from listener.feed import import_customers, replay
from listener.policy import load_policy
from listener.settings import Settings, load_settings
from listener.sources.files import RawRecord, read_records
from tests.brokers import ApacheKafka, Worker, apache_kafka
from tests.ledger import Outcome, wait_for, wait_for_directory
from tests.receivers import Receiver, receiver

START = datetime(2026, 5, 1, tzinfo=UTC)
KILLS = int(os.environ.get("LISTENER_FAULT_KILLS", "3"))
FILE = os.environ.get("LISTENER_FAULT_FILE")
FORMAT = os.environ.get("LISTENER_FAULT_FORMAT", "canonical")
OUTAGE_SECONDS = float(os.environ.get("LISTENER_FAULT_OUTAGE", "8"))
PARTITIONS = int(os.environ.get("LISTENER_FAULT_PARTITIONS", "1"))
CUSTOMERS = 400
PATIENCE = 420.0


def stream() -> list[RawRecord]:
    return list(read_records(Path(FILE))) if FILE else list(story(start=START))


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faults") / "policy.yaml"
    chosen = os.environ.get("LISTENER_FAULT_POLICY")
    path.write_text(Path(chosen).read_text() if chosen else comparable(policy_text()))
    return path


def comparable(text: str) -> str:
    """Without what depends on how long a run takes: incidents that another hop finds sooner or
    later, and repeats that fall due while the test waits."""
    policy = yaml.safe_load(text)
    policy["escalation"] |= {"inhibit": False, "timing": {"repeats": 0}}
    return yaml.safe_dump(policy)


def prepared(kafka: ApacheKafka, policy: Path) -> Settings:
    settings = load_settings(
        broker=kafka.address, policy=policy, metrics_port=0, partitions=PARTITIONS
    )
    asyncio.run(create_topics(settings, load_policy(policy)))
    asyncio.run(import_customers(settings, people(start=START)))
    return settings


def topic(policy: Path) -> str:
    return next(t for t, name in load_policy(policy).sources.items() if name == FORMAT)


def send(settings: Settings, policy: Path) -> int:
    return asyncio.run(replay(settings, topic(policy), stream(), speed=None))


class Calm:
    def __init__(self, found: Outcome, told: Receiver) -> None:
        self.found = found
        self.told = told


@pytest.fixture(scope="module")
def calm(policy: Path) -> Iterator[Calm]:
    """The same stream without any fault."""
    with apache_kafka() as kafka, receiver() as told:
        settings = prepared(kafka, policy)
        worker = Worker(
            settings, LISTENER_WEBHOOK_URL=told.url, LISTENER_PARTITIONS=str(PARTITIONS)
        )
        worker.start()
        wait_for_directory(settings, customers=CUSTOMERS)
        sent = send(settings, policy)
        found = wait_for(settings, inputs=sent, seconds=PATIENCE)
        worker.stop()
        yield Calm(found, told)


def heard(found: Outcome) -> dict[bytes, list[str]]:
    """Subject → every message and answer that is in one of its threads."""
    return {
        key: sorted(i for thread in subject.escalation.threads() for i in thread.heard)
        for key, subject in found.subjects.items()
        if not key.startswith(b"group:")
    }


def _own(subjects: dict[bytes, Any], found: Outcome) -> dict[bytes, Any]:
    """Those whose state depends on nothing but their own messages, which have one order."""
    return {
        key: state
        for key, state in subjects.items()
        if key not in found.answered and not key.startswith(b"group:")
    }


def _alerts(found: Outcome) -> dict[str, Any]:
    return {i: a for i, a in found.alerts.items() if found.owners[i] in _own(found.subjects, found)}


def same(found: Outcome, told: Receiver, calm: Calm, *, repeats: int) -> None:
    """With one partition everything is in order, so that every byte of state must agree; with more
    the brands' windows depend on what comes first, but their counts do not. Of a customer whom the
    brand answered only what was heard must agree (see `Outcome.answered`)."""
    assert found.mentions == calm.found.mentions
    assert len(found.dead) == len(calm.found.dead)
    assert found.seen == calm.found.seen
    strangers = {k: v for k, v in _own(found.subjects, found).items() if b"customer:" not in k}
    other = {k: (v, calm.found.subjects[k]) for k, v in strangers.items()}
    assert not {k: pair for k, pair in other.items() if pair[0] != pair[1]}
    if PARTITIONS == 1:
        assert found.brands == calm.found.brands
        assert _own(found.subjects, found) == _own(calm.found.subjects, calm.found)
        assert _alerts(found) == _alerts(calm.found)
        assert heard(found) == heard(calm.found)
    # By its key a receiver knows a notice that was under way when the worker died.
    assert sum(n - 1 for n in told.keys.values()) <= repeats
    assert untold(found, told) <= found.untold


def untold(found: Outcome, told: Receiver) -> set[str]:
    return set(found.alerts) - {key.partition(":")[0] for key in list(told.keys)}


def wait_told(found: Outcome, told: Receiver) -> None:
    """Notices go out one by one, behind the alerts: timers open many of them at once."""
    deadline = time.monotonic() + 60
    while not untold(found, told) <= found.untold and time.monotonic() < deadline:
        time.sleep(0.5)


def test_kills_of_the_worker_lose_nothing_and_count_nothing_twice(
    policy: Path, calm: Calm, capsys: pytest.CaptureFixture[str]
) -> None:
    """kill -9 at random moments: every input accounted for, state exact, one notice a state."""
    with apache_kafka() as kafka, receiver() as told:
        settings = prepared(kafka, policy)
        worker = Worker(
            settings, LISTENER_WEBHOOK_URL=told.url, LISTENER_PARTITIONS=str(PARTITIONS)
        )
        worker.start()
        wait_for_directory(settings, customers=CUSTOMERS)
        sent = send(settings, policy)
        rng = random.Random()
        for _ in range(KILLS):
            time.sleep(rng.uniform(0.3, 2.5))
            worker.kill()
            worker.start()
        found = wait_for(settings, inputs=sent, seconds=PATIENCE)
        wait_told(found, told)
        worker.stop()
    with capsys.disabled():
        report(f"{KILLS} kills", sent, found, told)
    same(found, told, calm, repeats=KILLS)


def test_an_outage_of_the_broker_loses_nothing_and_counts_nothing_twice(
    policy: Path, calm: Calm, capsys: pytest.CaptureFixture[str]
) -> None:
    """The broker is killed in the middle and comes back: the worker goes on by itself."""
    with apache_kafka() as kafka, receiver() as told:
        settings = prepared(kafka, policy)
        worker = Worker(
            settings, LISTENER_WEBHOOK_URL=told.url, LISTENER_PARTITIONS=str(PARTITIONS)
        )
        worker.start()
        wait_for_directory(settings, customers=CUSTOMERS)
        pid = worker.pid
        sent = send(settings, policy)
        time.sleep(1.0)
        kafka.kill()
        time.sleep(OUTAGE_SECONDS)
        kafka.start()
        found = wait_for(settings, inputs=sent, seconds=PATIENCE)
        assert worker.pid == pid
        wait_told(found, told)
        worker.stop()
    with capsys.disabled():
        report(f"broker away {OUTAGE_SECONDS:.0f} s", sent, found, told)
    same(found, told, calm, repeats=0)


def report(fault: str, sent: int, found: Outcome, told: Receiver) -> None:
    repeated = sum(n - 1 for n in told.keys.values())
    line = (
        f"\n{fault}: {sent} in, {len(found.mentions)} linked, {len(found.dead)} dead, "
        f"{found.sent_again} sent again, {len(found.alerts)} alerts, {len(told.keys)} notices, "
        f"{repeated} of them twice"
    )
    os.write(1, (line + "\n").encode())
