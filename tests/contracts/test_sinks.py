"""What every sink must keep."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from listener.errors import DeliveryDelayed, DeliveryRefused
from listener.ports import Sink
from listener.sinks.jsonlines import JsonLines
from listener.sinks.webhook import Webhook
from tests.alerts import alert
from tests.receivers import receiver


class Place:
    """A sink, and what has arrived where it sends to."""

    def __init__(self, sink: Sink, arrived: Callable[[], list[str]]) -> None:
        self.sink = sink
        self.arrived = arrived


@contextmanager
def webhook(_: Path) -> Iterator[Place]:
    with receiver() as told:
        yield Place(Webhook(told.url), lambda: list(told.keys))


@contextmanager
def file(folder: Path) -> Iterator[Place]:
    path = folder / "alerts.jsonl"
    yield Place(
        JsonLines(path), lambda: [json.loads(x)["key"] for x in path.read_text().splitlines()]
    )


@pytest.fixture(params=[webhook, file])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with request.param(tmp_path) as found:
        yield found


async def test_what_is_sent_arrives_under_its_key(place: Place) -> None:
    """A send that returns has arrived."""
    await place.sink.send(alert(), key="k1")
    await place.sink.send(alert("a2"), key="k2")
    await place.sink.close()
    assert place.arrived() == ["k1", "k2"]


async def test_a_repeated_notice_can_be_known_by_its_key(place: Place) -> None:
    """A second attempt is one notice for a receiver that looks at the key."""
    for _ in range(2):
        await place.sink.send(alert(), key="k1")
    await place.sink.close()
    assert place.arrived() == ["k1"]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_a_destination_that_is_away_may_be_tried_again(status: int) -> None:
    """Timeouts, limits and server errors delay, with the wait that was asked for."""
    with receiver() as told:
        told.status, told.headers = status, {"Retry-After": "3"}
        sink = Webhook(told.url)
        with pytest.raises(DeliveryDelayed) as caught:
            await sink.send(alert(), key="k")
        await sink.close()
    assert caught.value.retry_after == 3.0


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410])
async def test_a_destination_that_refuses_is_not_tried_again(status: int) -> None:
    """Client errors and redirects never get better."""
    with receiver() as told:
        told.status = status
        sink = Webhook(told.url)
        with pytest.raises(DeliveryRefused):
            await sink.send(alert(), key="k")
        await sink.close()


async def test_a_destination_that_cannot_be_reached_may_be_tried_again() -> None:
    """No connection is a delay, and the message names the host only."""
    transport = httpx.MockTransport(lambda request: (_ for _ in ()).throw(httpx.ConnectError("x")))
    sink = Webhook("http://host.example/secret-path", client=httpx.AsyncClient(transport=transport))
    with pytest.raises(DeliveryDelayed) as caught:
        await sink.send(alert(), key="k")
    assert "secret-path" not in str(caught.value)
    await sink.close()


async def test_the_file_remembers_over_a_restart_and_mends_a_torn_line(tmp_path: Path) -> None:
    """A kill in the middle of a line costs that line only, and it is written again."""
    path = tmp_path / "alerts.jsonl"
    first = JsonLines(path)
    await first.send(alert(), key="k1")
    await first.close()
    with path.open("ab") as torn:
        torn.write(b'{"key":"k2","al')
    second = JsonLines(path)
    await second.send(alert(), key="k1")
    await second.send(alert("a2"), key="k2")
    await second.close()
    assert [json.loads(x)["key"] for x in path.read_text().splitlines()] == ["k1", "k2"]
