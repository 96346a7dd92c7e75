"""Payloads as the destinations' documents define them. Unknown and missing fields are refused."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A body in which nothing but what is documented may stand."""


# --- Slack: docs.slack.dev, Block Kit reference ------------------------------------------------


class PlainText(
    Strict, tag_field="type", tag="plain_text", kw_only=True, forbid_unknown_fields=True
):
    text: Annotated[str, Meta(min_length=1, max_length=150)]
    emoji: bool = True


class Mrkdwn(Strict, kw_only=True, tag_field="type", tag="mrkdwn"):
    text: Annotated[str, Meta(min_length=1, max_length=3000)]


class Field(Strict, kw_only=True, tag_field="type", tag="mrkdwn"):
    text: Annotated[str, Meta(min_length=1, max_length=2000)]


class Header(Strict, kw_only=True, tag_field="type", tag="header"):
    text: PlainText


class Section(Strict, kw_only=True, tag_field="type", tag="section"):
    text: Mrkdwn | None = None
    fields: Annotated[list[Field], Meta(min_length=1, max_length=10)] | None = None


class Context(Strict, kw_only=True, tag_field="type", tag="context"):
    elements: Annotated[list[Mrkdwn], Meta(min_length=1, max_length=10)]


Blocks = Annotated[list[Header | Section | Context], Meta(min_length=1, max_length=50)]


class SlackMessage(Strict, kw_only=True):
    text: Annotated[str, Meta(min_length=1, max_length=40_000)]
    blocks: Blocks | None = None


class SlackPost(SlackMessage, kw_only=True):
    channel: str
    thread_ts: str | None = None
    reply_broadcast: bool = False


class SlackUpdate(SlackMessage, kw_only=True):
    channel: Annotated[str, Meta(pattern="^[CGD][A-Z0-9]+$")]
    ts: str


# --- PagerDuty: api-schema, events-v2 ----------------------------------------------------------


class PagerDutyPayload(Strict, kw_only=True):
    summary: Annotated[str, Meta(min_length=1, max_length=1024)]
    source: Annotated[str, Meta(min_length=1)]
    severity: Literal["critical", "error", "warning", "info"]
    timestamp: datetime | None = None
    component: str | None = None
    group: str | None = None
    class_: str | None = msgspec.field(default=None, name="class")
    custom_details: dict[str, Any] = {}


class PagerDutyLink(Strict, kw_only=True):
    href: Annotated[str, Meta(pattern="^https?://")]
    text: str | None = None


class PagerDutyEvent(Strict, kw_only=True):
    routing_key: Annotated[str, Meta(min_length=32, max_length=32)]
    event_action: Literal["trigger", "acknowledge", "resolve"]
    dedup_key: Annotated[str, Meta(max_length=255)] | None = None
    payload: PagerDutyPayload | None = None
    client: str | None = None
    client_url: str | None = None
    links: list[PagerDutyLink] = []
    images: list[Any] = []


# --- Alertmanager: api/v2/openapi.yaml ----------------------------------------------------------

LabelName = Annotated[str, Meta(pattern="^[a-zA-Z_][a-zA-Z0-9_]*$")]


class PostableAlert(Strict, kw_only=True):
    labels: Annotated[dict[LabelName, str], Meta(min_length=1)]
    annotations: dict[LabelName, str] = {}
    startsAt: datetime | None = None  # noqa: N815 - the API's name
    endsAt: datetime | None = None  # noqa: N815 - the API's name
    generatorURL: Annotated[str, Meta(pattern="^https?://")] = "http://none"  # noqa: N815 - the same


# --- Zendesk: Ticketing API, tickets ------------------------------------------------------------


class Comment(Strict, kw_only=True):
    body: Annotated[str, Meta(min_length=1, max_length=65_535)]
    public: bool = True


Status = Literal["new", "open", "pending", "hold", "solved", "closed"]
TicketPriority = Literal["urgent", "high", "normal", "low"]
Tag = Annotated[str, Meta(pattern="^[^ ,]+$")]


class NewTicket(Strict, kw_only=True):
    comment: Comment
    subject: str = ""
    external_id: str | None = None
    priority: TicketPriority | None = None
    status: Status = "new"
    tags: list[Tag] = []
    group_id: int | None = None
    via_followup_source_id: int | None = None


class TicketChange(Strict, kw_only=True):
    comment: Comment | None = None
    priority: TicketPriority | None = None
    status: Status | None = None
    tags: list[Tag] | None = None
    safe_update: bool = False
    updated_stamp: str | None = None


class NewTicketBody(Strict, kw_only=True):
    ticket: NewTicket


class TicketChangeBody(Strict, kw_only=True):
    ticket: TicketChange
