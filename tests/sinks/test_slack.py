"""One message an alert, updated in place."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from listener.errors import DeliveryDelayed, DeliveryRefused
from listener.records import Digest, DigestLine
from listener.sinks.slack import SlackBot, SlackWebhook, digest_message, message
from tests.alerts import alert
from tests.destinations.server import Answer, Server, serving
from tests.destinations.slack import CHANNEL, HOOK, TOKEN, Slack
from tests.worlds import NOW


@pytest.fixture
def world() -> Iterator[tuple[Slack, Server]]:
    slack = Slack()
    with serving(slack) as server:
        yield slack, server


def bot(server: Server, channel: str = CHANNEL, *, pause: float = 0.0) -> SlackBot:
    return SlackBot(TOKEN, channel, name="bot", api=f"{server.url}/api", pause=pause)


async def test_an_alert_is_one_message_for_its_whole_life(world: tuple[Slack, Server]) -> None:
    """Posted once by the channel's name, then updated by the id that Slack gave."""
    slack, server = world
    sink = bot(server, "#alerts")
    ref = None
    for state in ("open", "acknowledged", "resolved"):
        ref = await sink.send(alert(state=state), key="k", ref=ref)
    await sink.close()
    assert len(slack.messages) == 1 and slack.updates == 2
    assert "P2 resolved: Acme · billing" in str(slack.messages)


async def test_a_reopened_alert_gets_a_message_that_people_see(
    world: tuple[Slack, Server],
) -> None:
    slack, server = world
    sink = bot(server)
    ref = await sink.send(alert(state="resolved"), key="k")
    new = await sink.send(alert(state="reopened", cycle=2), key="k2", ref=ref)
    await sink.close()
    assert len(slack.messages) == 2 and new != ref


async def test_messages_after_an_outage_come_at_slacks_pace(world: tuple[Slack, Server]) -> None:
    """It may lose those of a burst: the first at once, the others after a pause each."""
    _, server = world
    loop = asyncio.get_running_loop()
    hook = SlackWebhook(server.url + HOOK, name="hook", where="x", pause=0.2)
    for sink in (bot(server, pause=0.2), hook):
        began = loop.time()
        for number in range(3):
            await sink.send(alert(f"a{number}"), key=str(number))
        await sink.close()
        assert loop.time() - began >= 0.4


async def test_a_repeat_is_heard(world: tuple[Slack, Server]) -> None:
    """An update makes no sound, so a reply below it says it again."""
    slack, server = world
    sink = bot(server)
    ref = await sink.send(alert(), key="k")
    await sink.send(alert(repeat=1), key="k2", ref=ref)
    await sink.close()
    assert len(slack.messages) == 1
    assert [r["reply_broadcast"] for r in slack.replies] == [True]


async def test_a_message_that_was_deleted_is_posted_again(world: tuple[Slack, Server]) -> None:
    slack, server = world
    sink = bot(server)
    await sink.send(alert(state="resolved"), key="k", ref=f"{CHANNEL}/7.7")
    await sink.close()
    assert len(slack.messages) == 1


@pytest.mark.parametrize("error", ["ratelimited", "internal_error", "service_unavailable"])
async def test_errors_of_the_api_that_pass(world: tuple[Slack, Server], error: str) -> None:
    """They come with status 200."""
    slack, server = world
    slack.error = error
    sink = bot(server)
    with pytest.raises(DeliveryDelayed):
        await sink.send(alert(), key="k")
    await sink.close()


@pytest.mark.parametrize("error", ["invalid_auth", "channel_not_found", "is_archived"])
async def test_errors_of_the_api_that_do_not(world: tuple[Slack, Server], error: str) -> None:
    slack, server = world
    slack.error = error
    sink = bot(server)
    with pytest.raises(DeliveryRefused, match=error):
        await sink.send(alert(), key="k")
    await sink.close()


async def test_an_answer_that_is_no_json_may_pass(world: tuple[Slack, Server]) -> None:
    """A proxy's page, perhaps."""
    _, server = world
    server.fault = Answer(200, "<html>")
    sink = bot(server)
    with pytest.raises(DeliveryDelayed):
        await sink.send(alert(), key="k")
    await sink.close()


def test_people_cannot_mention_or_link() -> None:
    """What could begin a link, a mention or a channel call is escaped."""
    said = str(message(alert(snippet="<!channel> & <@U1> <http://bad.example|good>")))
    assert "<!channel>" not in said and "<@U1>" not in said and "<http://bad" not in said
    assert "&lt;!channel&gt; &amp;" in said


def test_a_link_cannot_be_broken_out_of() -> None:
    found: list[Any] = message(alert(permalink="https://x.example/a|b>c"))["blocks"]
    assert found[-1]["elements"][0]["text"] == "<https://x.example/a%7Cb%3Ec|Open the message>"


async def test_a_digest_is_a_message(world: tuple[Slack, Server], tmp_path: Path) -> None:
    """By the webhook and by the bot, and within Slack's limits however long it is."""
    slack, server = world
    lines = tuple(
        DigestLine(brand="Acme", issue="billing", count=3, examples=("https://x.example/1",))
        for _ in range(90)
    )
    digest = Digest(
        digest_id="d", start=NOW, end=NOW, mentions=9, complaints=3, lines=lines,
        open_alerts={"P1": 2}, overdue_alerts={"P1": 1},
    )  # fmt: skip
    for sink in (bot(server), SlackWebhook(server.url + HOOK, name="hook", where="x", pause=0)):
        await sink.report(digest, key="d")
        await sink.close()
    assert len(slack.messages) == len(slack.posts) == 1
    assert "P1: 2 open, 1 overdue" in str(digest_message(digest))
