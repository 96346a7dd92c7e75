"""Alerts to Slack: an incoming webhook, or a bot that updates one message an alert.

https://docs.slack.dev: incoming webhooks answer 200 `ok`, 400, 403, 404 or 410 with a reason, and
429 with Retry-After; Web API methods answer 200 with `ok` and `error`. A webhook cannot update.
Slack takes a message a second for each channel and 50 updates a minute, more for a short while; who
goes on regardless may lose messages, or the app. So there is a pause from one call to the next.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx

from listener.codec import encode
from listener.errors import DeliveryDelayed, DeliveryRefused
from listener.records import Alert, Digest
from listener.sinks.http import Http, json_of, secret_parts, web_url
from listener.sinks.wording import (
    digest_headline,
    digest_line,
    digest_standing,
    facts,
    headline,
    is_web,
    permalink,
    shorten,
)

POST_SECONDS: Final = 1.0
UPDATE_SECONDS: Final = 1.2
_HEADER: Final = 150
_TEXT: Final = 3000
_FIELD: Final = 2000
_FIELDS: Final = 10
_LINES: Final = 40
_PASSING: Final = {
    "ratelimited",
    "rate_limited",
    "fatal_error",
    "internal_error",
    "service_unavailable",
    "request_timeout",
}
_GONE: Final = {"message_not_found", "cant_update_message", "edit_window_closed"}
"""Answers to an update that a new message can mend."""


class Pace:
    """Lets one call pass, then none for `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._free = 0.0

    async def wait(self) -> None:
        now = asyncio.get_running_loop().time()
        start = max(now, self._free)
        self._free = start + self._seconds
        if start > now:
            await asyncio.sleep(start - now)


class SlackWebhook:
    """Posts one message a notice. Raises SettingsError for a URL that is not http(s)."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        where: str,
        client: httpx.AsyncClient | None = None,
        pause: float = POST_SECONDS,
    ) -> None:
        self.name = name
        self._pace = Pace(pause)
        self._url = web_url(url, where=where)
        self._http = Http(secrets=secret_parts(url), client=client)

    async def send(self, alert: Alert, *, key: str, ref: str | None = None) -> None:
        await self._post(message(alert))

    async def report(self, digest: Digest, *, key: str) -> None:
        await self._post(digest_message(digest))

    async def close(self) -> None:
        await self._http.close()

    async def _post(self, content: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/json"}
        await self._pace.wait()
        await self._http.send("POST", self._url, content=encode(content), headers=headers)


class SlackBot:
    """`chat.postMessage`, then `chat.update` of the same message.

    A reopened alert gets a new message, since nobody reads the old one any more. An update makes no
    sound, so what must be heard again (a step of the route, a repeat) is said below it as well.
    Slack keeps no idempotency key: a notice whose answer was lost may appear twice.
    """

    def __init__(
        self,
        token: str,
        channel: str,
        *,
        name: str,
        api: str,
        client: httpx.AsyncClient | None = None,
        pause: float = UPDATE_SECONDS,
    ) -> None:
        self.name = name
        self._pace = Pace(pause)
        self._api = web_url(api, where=f"receivers.{name}.api_url").rstrip("/")
        self._token = token
        self._channel = channel
        self._http = Http(secrets=(token,), client=client)

    async def send(self, alert: Alert, *, key: str, ref: str | None = None) -> str:
        channel, _, ts = (ref or "").rpartition("/")
        if ts and alert.state != "reopened":
            content = message(alert) | {"channel": channel, "ts": ts}
            if (await self._call("chat.update", content))["ok"]:
                await self._say_again(alert, channel, ts)
                return f"{channel}/{ts}"
        answer = await self._call("chat.postMessage", message(alert) | {"channel": self._channel})
        return f"{answer['channel']}/{answer['ts']}"

    async def report(self, digest: Digest, *, key: str) -> None:
        content = digest_message(digest) | {"channel": self._channel}
        await self._call("chat.postMessage", content)

    async def close(self) -> None:
        await self._http.close()

    async def _say_again(self, alert: Alert, channel: str, ts: str) -> None:
        if alert.state == "open" and (alert.step or alert.repeat):
            content = {
                "channel": channel,
                "thread_ts": ts,
                "reply_broadcast": True,
                "text": escape(f"Still {headline(alert)}"),
            }
            await self._call("chat.postMessage", content)

    async def _call(self, method: str, content: dict[str, Any]) -> dict[str, Any]:
        """The answer: `ok`, or not `ok` where a message is gone."""
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Authorization": f"Bearer {self._token}",
        }
        url = f"{self._api}/{method}"
        await self._pace.wait()
        answer = await self._http.send("POST", url, content=encode(content), headers=headers)
        found: dict[str, Any] = json_of(answer, "Slack")
        error = str(found.get("error", "no reason"))[:60]
        if found.get("ok") or (method == "chat.update" and error in _GONE):
            return found
        if error in _PASSING:
            raise DeliveryDelayed(f"Slack {method}: {error}")
        raise DeliveryRefused(f"Slack {method}: {error}")


def message(alert: Alert) -> dict[str, Any]:
    """`text` for the notification, `blocks` for the channel."""
    title = shorten(headline(alert), _HEADER)
    fields = [f"*{name}*\n{escape(value)}" for name, value in facts(alert) if name != "Model"]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title}},
        {"type": "section", "fields": [_mrkdwn(f, _FIELD) for f in fields[:_FIELDS]]},
    ]
    if alert.snippet:
        quoted = "\n".join(f"> {line}" for line in escape(alert.snippet).splitlines())
        blocks.append({"type": "section", "text": _mrkdwn(quoted, _TEXT)})
    model = f"{alert.model.name} {alert.model.version}"
    about = [escape(f"Model {model} · alert {alert.alert_id}")]
    if (url := permalink(alert)) is not None:
        about.insert(0, link(url, "Open the message"))
    blocks.append({"type": "context", "elements": [_mrkdwn(part, _FIELD) for part in about]})
    return {"text": escape(title), "blocks": blocks}


def digest_message(digest: Digest) -> dict[str, Any]:
    lines = []
    for line in digest.lines[:_LINES]:
        examples = " ".join(
            link(url, f"example {n}") for n, url in enumerate(line.examples, 1) if is_web(url)
        )
        lines.append(f"• {escape(digest_line(line))} {examples}".rstrip())
    title = digest_headline(digest)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": shorten(title, _HEADER)}},
        *({"type": "section", "text": _mrkdwn(line, _TEXT)} for line in lines),
        {"type": "context", "elements": [_mrkdwn(escape(digest_standing(digest)), _FIELD)]},
    ]
    return {"text": escape(title), "blocks": blocks}


def escape(text: str) -> str:
    """As Slack asks: the three characters that could begin a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(url: str, text: str) -> str:
    return f"<{escape(url.replace('|', '%7C').replace('>', '%3E'))}|{escape(text)}>"


def _mrkdwn(text: str, limit: int) -> dict[str, str]:
    return {"type": "mrkdwn", "text": shorten(text, limit)}
