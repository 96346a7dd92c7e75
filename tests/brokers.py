"""Both brokers that the suites run on."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from listener.broker import EmbeddedBroker
from listener.cluster import counts, create_topics
from listener.policy import load_policy
from listener.settings import Settings, load_settings

READY_SECONDS = 60.0


def free_port() -> int:
    """A port such that it and the next one are free."""
    while True:
        with closing(socket.socket()) as one, closing(socket.socket()) as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            with suppress(OSError, OverflowError):
                two.bind(("127.0.0.1", port + 1))
                return port


class ApacheKafka:
    """One KRaft broker in a folder: may be killed and started again."""

    def __init__(self, folder: Path, port: int, *properties: str) -> None:
        self.folder = folder
        self.port = port
        self.properties = properties
        self.address = f"127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Tries twice: one random cluster id in 64 begins with a dash, which its tools take for an
        option."""
        if not self._started():
            assert self._started(), (self.folder / "broker.log").read_text()[-2000:]

    def _started(self) -> bool:
        run = Path(os.environ["KAFKA_HOME"]) / "bin" / "kafka-run"
        log = (self.folder / "broker.log").open("ab")
        self._process = subprocess.Popen(
            [str(run), str(self.folder / "data"), str(self.port), *self.properties],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(self.port):
            if self._process.poll() is not None:
                return False
            assert time.monotonic() < deadline, "Kafka did not start"
            time.sleep(0.2)
        return True

    def kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, 9)
            self._process.wait()
            self._process = None


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def apache_kafka(secure: Callable[[int], list[str]] = lambda port: []) -> Iterator[ApacheKafka]:
    """Apache Kafka from KAFKA_HOME; skipped without it, but never in CI. `secure` gives more
    properties of the broker that listens on a port."""
    if "KAFKA_HOME" not in os.environ:
        assert "LISTENER_CI" not in os.environ, "CI must run the Kafka suites: set KAFKA_HOME"
        pytest.skip("no Apache Kafka: set KAFKA_HOME (an unpacked one) or LISTENER_TEST_BROKER")
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        kafka = ApacheKafka(Path(folder), port, *secure(port))
        try:
            kafka.start()
            yield kafka
        finally:
            Worker.kill_all()
            kafka.kill()


@contextmanager
def broker(kind: str, *, policy: Path | None) -> Iterator[Settings]:
    """Settings of a broker with every topic, `embedded` or `apache`."""
    chosen = load_policy(policy)
    if kind == "embedded":
        with EmbeddedBroker(counts(chosen, width=4)) as embedded:
            try:
                yield load_settings(broker=embedded.address, policy=policy, metrics_port=0)
            finally:
                Worker.kill_all()
        return
    with _cluster() as address:
        settings = load_settings(
            broker=address, policy=policy, metrics_port=0, group=f"test-{uuid4().hex[:8]}"
        )
        asyncio.run(_without_topics(settings))
        asyncio.run(create_topics(settings, chosen))
        yield settings


@contextmanager
def _cluster() -> Iterator[str]:
    """LISTENER_TEST_BROKER, which must be there for tests alone, else one of our own."""
    if "LISTENER_TEST_BROKER" in os.environ:
        yield os.environ["LISTENER_TEST_BROKER"]
        return
    with apache_kafka() as kafka:
        yield kafka.address


async def _without_topics(settings: Settings) -> None:
    """Deletes every topic of ours; what another test left would be read again."""
    admin = AIOKafkaAdminClient(**settings.kafka)
    await admin.start()
    try:
        while ours := [t for t in await admin.list_topics() if t.startswith(("listener.", "raw."))]:
            await admin.delete_topics(ours)
            await asyncio.sleep(0.5)
    finally:
        await admin.close()


class Worker:
    """A worker in a process of its own, as operations run it."""

    _alive: ClassVar[set[Worker]] = set()

    def __init__(self, settings: Settings, **environment: str) -> None:
        self._environment = os.environ | {
            "LISTENER_BROKER": settings.broker,
            "LISTENER_GROUP": settings.group,
            "LISTENER_POLICY": str(settings.policy or ""),
            "LISTENER_METRICS_PORT": "0",
            "LISTENER_LOG_LEVEL": "WARNING",
            **environment,
        }
        if settings.policy is None:
            del self._environment["LISTENER_POLICY"]
        self._process: subprocess.Popen[str] | None = None

    def start(self, *, wait: bool = True) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "listener", "worker", "--announce"],
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._alive.add(self)
        if wait:
            assert self._process.stdout is not None
            assert self._process.stdout.readline().strip() == "ready"

    @classmethod
    def kill_all(cls) -> None:
        """Those of a test that failed: they would take the machine's time from the next ones."""
        for worker in list(cls._alive):
            worker.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a machine that loses its power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._ended()

    def stop(self) -> int:
        """As an orchestrator asks; returns the exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(30)
        self._ended()
        return code

    def _ended(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None
        self._alive.discard(self)
