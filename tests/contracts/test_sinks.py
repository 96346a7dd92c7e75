"""What every sink must keep."""

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from listener.errors import DeliveryDelayed, DeliveryRefused
from listener.records import Alert, Link, Reason
from listener.sinks.jsonlines import JsonLines
from tests.alerts import alert
from tests.destinations.places import HTTP, PLACES, SECONDS, Make, Place, at_mail
from tests.destinations.server import Answer, Server
from tests.worlds import NOW


@pytest.fixture(params=PLACES, ids=lambda make: make.__name__)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    make: Make = request.param
    with make(tmp_path) as found:
        yield found


@pytest.fixture(params=HTTP, ids=lambda make: make.__name__)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Place, Server]]:
    """A place that speaks HTTP."""
    make: Make = request.param
    with make(tmp_path) as found:
        assert found.server is not None
        yield found, found.server


def full(identifier: str = "a1", **changes: object) -> Alert:
    """An alert with everything that a notice may say."""
    fields: dict[str, object] = {
        "reasons": (
            Reason(code="severity", contribution=0.45),
            Reason(code="churn", contribution=0.31),
        ),
        "due_at": NOW + timedelta(hours=1),
        "snippet": "charged twice <!channel> & nobody answers",
        "permalink": "https://example.test/p/1?a=1&b=2",
        "link": Link(customer_id="c42", tier="T2", basis="handle", probability=0.97),
    }
    return alert(identifier, **(fields | changes))


async def test_what_is_sent_arrives(place: Place) -> None:
    """A send that returns has arrived."""
    await place.sink.send(full("a1"), key="k1")
    await place.sink.send(full("a2"), key="k2")
    await place.sink.close()
    assert len(place.arrived()) == 2


async def test_a_notice_says_what_a_support_lead_needs(place: Place) -> None:
    """Priority, state, brand, issue, reasons with shares, customer and tier, due time, what was
    written, where, and by which model's judgement."""
    await place.sink.send(full(), key="k1")
    await place.sink.close()
    (said,) = place.arrived()
    said = said.replace("&amp;", "&").replace("\\u0026", "&")
    for part in ("P2", "open", "Acme", "billing", "severity", "churn", "c42", "T2", "handle",
                 "charged twice", "https://example.test/p/1?a=1&b=2", "test"):  # fmt: skip
        assert part in said, part
    assert "45%" in said or "0.45" in said
    assert "2026-05-04 13:00" in said or "2026-05-04T13:00" in said


async def test_a_repeated_notice_is_known_where_the_destination_can_know_it(place: Place) -> None:
    """A second attempt under the same key is one thing there. Slack keeps no such key: only the
    message that we know is updated in place."""
    ref = await place.sink.send(full(), key="k1")
    await place.sink.send(full(), key="k1", ref=ref if not place.told_apart else None)
    await place.sink.close()
    assert len(place.arrived()) == (2 if place.sink.name == "hook" else 1)


async def test_every_state_is_taken(place: Place) -> None:
    """Schema and all: each state of an alert's life, with nothing but the fields it has."""
    ref = None
    for version, state in enumerate(("open", "acknowledged", "resolved", "reopened"), 1):
        changed = alert(
            version=version,
            state=state,
            cycle=1 + (state == "reopened"),
            brand=None,
            snippet=None,
            reasons=(),
        )
        ref = await place.sink.send(changed, key=changed.notice_id, ref=ref)
    await place.sink.close()
    assert place.arrived()


async def test_text_of_people_cannot_break_a_payload(place: Place) -> None:
    """Whatever they write, and however long it is."""
    texts = ("<!channel> <b>&amp; \"'`*_~|{}", "\r\nBcc: x@y.example\r\n\r\n.", "é😀\u202e" * 900)
    for n, text in enumerate(texts):
        hostile = full(f"a{n}", snippet=text, brand=text[:200], permalink=f"javascript:{text}")
        await place.sink.send(hostile, key=f"k{n}")
    await place.sink.close()
    assert len(place.arrived()) == len(texts)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
async def test_what_may_pass_is_a_delay(site: tuple[Place, Server], status: int) -> None:
    """Limits and server errors, with the wait that was asked for."""
    place, server = site
    server.fault = Answer(status, "later", {"Retry-After": "3"})
    with pytest.raises(DeliveryDelayed) as caught:
        await place.sink.send(full(), key="k")
    await place.sink.close()
    assert caught.value.retry_after == 3.0


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 410, 422])
async def test_what_never_passes_is_a_refusal(site: tuple[Place, Server], status: int) -> None:
    """Client errors and redirects never get better."""
    place, server = site
    server.fault = Answer(status, "never", {"Location": "http://other.example"})
    with pytest.raises(DeliveryRefused):
        await place.sink.send(full(), key="k")
    await place.sink.close()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("421 closing", DeliveryDelayed),
        ("450 busy", DeliveryDelayed),
        ("452 full", DeliveryDelayed),
        ("550 no such user", DeliveryRefused),
        ("554 no", DeliveryRefused),
    ],
)
@pytest.mark.parametrize("at", ["recipient", "data"])
async def test_what_mail_servers_answer(
    tmp_path: Path, answer: str, kind: type[Exception], at: str
) -> None:
    """4xx may pass, 5xx never, at whichever step."""
    with at_mail(tmp_path) as place:
        setattr(place.mailbox, at, answer)
        with pytest.raises(kind) as caught:
            await place.sink.send(full(), key="k")
    assert "no such user" not in str(caught.value)


@pytest.mark.parametrize("make", PLACES[1:], ids=lambda make: make.__name__)
async def test_an_answer_that_does_not_come_is_a_delay(make: Make, tmp_path: Path) -> None:
    """Nobody waits for ever."""
    with make(tmp_path) as place:
        for slow in (place.server, place.mailbox):
            if slow is not None:
                slow.pause = SECONDS + 0.4
        with pytest.raises(DeliveryDelayed):
            await place.sink.send(full(), key="k")
        await place.sink.close()


@pytest.mark.parametrize("make", PLACES[1:], ids=lambda make: make.__name__)
async def test_a_destination_that_is_not_there_is_a_delay(make: Make, tmp_path: Path) -> None:
    """Connection refused; the message names the host and no more."""
    with make(tmp_path) as place:
        pass
    with pytest.raises(DeliveryDelayed) as caught:
        await place.sink.send(full(), key="k")
    await place.sink.close()
    assert not [secret for secret in place.secrets if secret in str(caught.value)]


async def test_no_secret_is_told(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Neither by an error, even of a destination that repeats it, nor by a log."""
    caplog.set_level(logging.INFO)
    if place.server is not None:
        echo = " ".join(place.secrets)
        place.server.fault = Answer(400, f"bad: {echo}")
        with pytest.raises(DeliveryRefused) as caught:
            await place.sink.send(full(), key="k")
        assert not [secret for secret in place.secrets if secret in str(caught.value)]
        place.server.fault = None
    await place.sink.send(full(), key="k")
    await place.sink.close()
    assert not [secret for secret in place.secrets if secret in caplog.text]
    assert not [secret for secret in place.secrets if secret in repr(place.sink)]


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
