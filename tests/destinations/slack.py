"""Slack: incoming webhooks, chat.postMessage and chat.update."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tests.destinations.schemas import SlackMessage, SlackPost, SlackUpdate
from tests.destinations.server import Answer, Request

TOKEN = "xoxb-secret-token"
CHANNEL = "C0123456789"
HOOK = "/services/T0/B0/secret-hook"


class Slack:
    """One workspace. `messages` by time stamp; `replies` below them; `posts` of the webhook."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.replies: list[dict[str, Any]] = []
        self.posts: list[dict[str, Any]] = []
        self.error: str | None = None
        self.updates = 0

    def __call__(self, request: Request) -> Answer:
        if request.path == HOOK:
            return self._hook(request)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _no("invalid_auth")
        if self.error is not None:
            return _no(self.error)
        method = request.path.rpartition("/")[2]
        try:
            return self._post(request) if method == "chat.postMessage" else self._update(request)
        except msgspec.ValidationError:
            return _no("invalid_blocks")

    def _hook(self, request: Request) -> Answer:
        try:
            msgspec.json.decode(request.body, type=SlackMessage)
        except msgspec.ValidationError:
            return Answer(400, "invalid_payload")
        self.posts.append(request.json())
        return Answer(200, "ok")

    def _post(self, request: Request) -> Answer:
        message = msgspec.json.decode(request.body, type=SlackPost)
        if message.channel not in (CHANNEL, "#alerts"):
            return _no("channel_not_found")
        if message.thread_ts is not None:
            self.replies.append(request.json())
            return _yes(ts="9.9")
        ts = f"{len(self.messages) + 1}.000100"
        self.messages[ts] = request.json()
        return _yes(ts=ts)

    def _update(self, request: Request) -> Answer:
        change = msgspec.json.decode(request.body, type=SlackUpdate)
        if change.ts not in self.messages:
            return _no("message_not_found")
        self.messages[change.ts] = request.json()
        self.updates += 1
        return _yes(ts=change.ts)


def _yes(*, ts: str) -> Answer:
    return Answer(200, json.dumps({"ok": True, "channel": CHANNEL, "ts": ts}))


def _no(error: str) -> Answer:
    return Answer(200, json.dumps({"ok": False, "error": error}))
