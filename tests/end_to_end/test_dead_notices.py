"""A notice that was refused comes out of dead letters to its receiver alone."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

from aiokafka import AIOKafkaProducer

from listener.codec import encode
from listener.feed import dead_letters, replay_letters
from listener.settings import Settings
from listener.topics import ALERTS
from tests.alerts import alert
from tests.brokers import Worker, broker
from tests.destinations.server import Answer, Request, serving


async def send(settings: Settings) -> None:
    async with AIOKafkaProducer(**settings.kafka) as client:
        await client.send_and_wait(ALERTS.name, encode(alert()), b"a1")


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline, "not in a minute"
        time.sleep(0.2)


def test_a_refused_notice_is_replayed_to_its_receiver_alone(tmp_path: Path) -> None:
    """The token is mended, `dead-letters replay` is run, and nobody else hears of it twice."""
    told: list[str] = []
    other = tmp_path / "alerts.jsonl"

    def behave(request: Request) -> Answer:
        told.append(request.headers["idempotency-key"])
        return Answer(204)

    with serving(behave) as server:
        policy = tmp_path / "policy.yaml"
        policy.write_text(
            f"receivers:\n  hook: {{sink: webhook, url_env: HOOK}}\n"
            f"  file: {{sink: file, path: {other}}}\n"
        )
        server.fault = Answer(401, "who are you?")
        with broker("embedded", policy=policy) as settings:
            worker = Worker(settings, HOOK=server.url)
            worker.start()
            asyncio.run(send(settings))
            until(lambda: len(asyncio.run(dead_letters(settings))) == 1)
            letters = asyncio.run(dead_letters(settings))
            assert letters[0][1].error.startswith("hook: 127.0.0.1: HTTP 401")
            server.fault = None
            for _ in range(2):
                assert asyncio.run(replay_letters(settings, letters)) == 1
            until(lambda: bool(told))
            time.sleep(3)
            assert worker.stop() == 0
    assert told == [alert().notice_id]
    assert [json.loads(x)["key"] for x in other.read_text().splitlines()] == told
