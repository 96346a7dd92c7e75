"""Every sink with the destination that it sends to, as the contract suite takes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec

from listener.ports import Sink
from listener.sinks.alertmanager import Alertmanager as AlertmanagerSink
from listener.sinks.jsonlines import JsonLines
from listener.sinks.mail import Mail
from listener.sinks.pagerduty import PagerDuty as PagerDutySink
from listener.sinks.slack import SlackBot, SlackWebhook
from listener.sinks.webhook import Webhook
from listener.sinks.zendesk import Zendesk as ZendeskSink
from tests.destinations import pagerduty, slack, smtp, zendesk
from tests.destinations.alertmanager import Alertmanager
from tests.destinations.pagerduty import PagerDuty
from tests.destinations.server import Answer, Request, Server, serving
from tests.destinations.slack import Slack
from tests.destinations.zendesk import Zendesk
from tests.worlds import NOW

Make = Callable[[Path], AbstractContextManager["Place"]]
SECONDS = 1.0


class Place:
    """A sink, what has arrived where it sends to, and its secrets. `arrived`: one entry for each
    thing that the receiver would tell apart."""

    def __init__(
        self,
        sink: Sink,
        arrived: Callable[[], list[str]],
        *,
        server: Server | None = None,
        mailbox: smtp.Mailbox | None = None,
        secrets: tuple[str, ...] = (),
        told_apart: bool = True,
    ) -> None:
        self.sink = sink
        self.arrived = arrived
        self.server = server
        self.mailbox = mailbox
        self.secrets = secrets
        self.told_apart = told_apart
        """Whether the receiver can know a repeat."""


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=SECONDS)


@contextmanager
def at_file(folder: Path) -> Iterator[Place]:
    path = folder / "alerts.jsonl"
    yield Place(JsonLines(path), lambda: path.read_text().splitlines())


@contextmanager
def at_webhook(_: Path) -> Iterator[Place]:
    came: dict[str, str] = {}

    def behave(request: Request) -> Answer:
        came[request.headers["idempotency-key"]] = request.body.decode()
        return Answer(204)

    with serving(behave) as server:
        sink = Webhook(f"{server.url}/secret-path", "hmac-secret", client=client())
        yield Place(
            sink, lambda: list(came.values()), server=server, secrets=("secret-path", "hmac-secret")
        )


@contextmanager
def at_slack_webhook(_: Path) -> Iterator[Place]:
    world = Slack()
    with serving(world) as server:
        sink = SlackWebhook(
            server.url + slack.HOOK, name="hook", where="x", client=client(), pause=0
        )
        yield Place(
            sink,
            lambda: [json.dumps(p, ensure_ascii=False) for p in world.posts],
            server=server,
            secrets=(slack.HOOK, "secret-hook"),
            told_apart=False,
        )


@contextmanager
def at_slack_bot(_: Path) -> Iterator[Place]:
    world = Slack()
    with serving(world) as server:
        sink = SlackBot(
            slack.TOKEN,
            slack.CHANNEL,
            name="bot",
            api=f"{server.url}/api",
            client=client(),
            pause=0,
        )
        yield Place(
            sink,
            lambda: [json.dumps(m, ensure_ascii=False) for m in world.messages.values()],
            server=server,
            secrets=(slack.TOKEN,),
            told_apart=False,
        )


@contextmanager
def at_pagerduty(_: Path) -> Iterator[Place]:
    world = PagerDuty()
    with serving(world) as server:
        sink = PagerDutySink(
            pagerduty.KEY, name="pager", url=f"{server.url}/v2/enqueue", client=client()
        )
        yield Place(
            sink,
            lambda: [json.dumps(t, ensure_ascii=False) for t in world.triggers],
            server=server,
            secrets=(pagerduty.KEY,),
        )


@contextmanager
def at_alertmanager(_: Path) -> Iterator[Place]:
    world = Alertmanager(NOW)

    def standing() -> list[str]:
        ids = {alert_id for alert_id, _, _ in world.told}
        found: list[Any] = [
            [a for labels, a in world.alerts.items() if ("alert_id", i) in labels]
            for i in sorted(ids)
        ]
        return [msgspec.json.encode(alerts).decode() for alerts in found]

    with serving(world) as server:
        sink = AlertmanagerSink(
            server.url,
            name="am",
            token="am-secret-token",
            hold=timedelta(days=7),
            clock=lambda: NOW,
            client=client(),
        )
        yield Place(sink, standing, server=server, secrets=("am-secret-token",))


@contextmanager
def at_zendesk(_: Path) -> Iterator[Place]:
    world = Zendesk()
    with serving(world) as server:
        sink = ZendeskSink(
            server.url,
            zendesk.EMAIL,
            zendesk.TOKEN,
            name="desk",
            group_id=7,
            tags=("listener",),
            client=client(),
        )
        yield Place(
            sink,
            lambda: [
                json.dumps(c["body"], ensure_ascii=False)
                for t in world.tickets.values()
                for c in t["comments"]
            ],
            server=server,
            secrets=(zendesk.TOKEN,),
        )


@contextmanager
def at_mail(folder: Path) -> Iterator[Place]:
    with smtp.mailing(folder, "starttls") as post:
        sink = Mail(
            "127.0.0.1",
            ["lead@desk.example", "second@desk.example"],
            "listener@desk.example",
            name="mail",
            clock=lambda: NOW,
            port=post.port,
            cafile=str(post.cafile),
            username="listener",
            password=smtp.PASSWORD,
            timeout=SECONDS,
        )

        def arrived() -> list[str]:
            by_id = {m["Message-ID"]: m for m in post.mailbox.mails}
            return [f"{m}{m.get_body(('plain',)).get_content()}" for m in by_id.values()]  # type: ignore[union-attr]  # it has one

        yield Place(sink, arrived, mailbox=post.mailbox, secrets=(smtp.PASSWORD,))


PLACES: tuple[Make, ...] = (
    at_file,
    at_webhook,
    at_slack_webhook,
    at_slack_bot,
    at_pagerduty,
    at_alertmanager,
    at_zendesk,
    at_mail,
)
HTTP = PLACES[1:-1]
