"""Our own JSON: what a producer can know of a message, or a request to forget."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from listener.errors import InvalidMessage
from listener.records import Author, Channel, Forget, Hints, Mention
from listener.sources.door import check_id, check_text, read, times


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="mention"):
    """A message. `id` is the network's own; ids of other messages too."""

    id: str
    network: str
    author: Author
    text: str
    created_at: datetime
    op: Literal["create", "update"] = "create"
    channel: Channel = "public"
    uri: str | None = None
    title: str | None = None
    lang: str | None = None
    rating: float | None = None
    parent: str | None = None
    root: str | None = None
    repost_of: str | None = None
    quote_of: str | None = None
    engagement: int = 0
    hints: Hints = Hints()
    from_brand: bool = False


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="forget"):
    """Something to forget: one of the three."""

    mention_id: str | None = None
    author: str | None = None
    customer_id: str | None = None
    reason: str = "requested"
    requested_at: datetime | None = None


def parse(payload: bytes, *, observed_at: datetime) -> Mention | Forget:
    """A message without `type` is a mention."""
    tagged = b'"type"' in payload
    record: Message | Request = read(payload, Message | Request if tagged else Message)
    if isinstance(record, Request):
        return _forget(record, observed_at)
    return _mention(record, observed_at)


def _forget(request: Request, observed_at: datetime) -> Forget:
    named = [request.mention_id, request.author, request.customer_id]
    if sum(value is not None for value in named) != 1:
        raise InvalidMessage("exactly one of mention_id, author and customer_id was expected")
    return Forget(
        mention_id=request.mention_id,
        author=request.author,
        customer_id=request.customer_id,
        reason=request.reason,
        requested_at=request.requested_at or observed_at,
    )


def _mention(message: Message, observed_at: datetime) -> Mention:
    network = check_id(message.network, field="$.network").lower()
    when = times(message.created_at, observed_at=observed_at)
    check_id(message.author.id, field="$.author.id")
    return Mention(
        mention_id=f"{network}:{check_id(message.id, field='$.id')}",
        op=message.op,
        network=network,
        channel=message.channel,
        uri=message.uri,
        author=message.author,
        text=check_text(message.text),
        title=check_text(message.title) if message.title else None,
        lang=message.lang,
        rating=message.rating,
        created_at=when.created_at,
        observed_at=observed_at,
        event_time=when.event_time,
        backfill=when.backfill,
        parent=_of(network, message.parent),
        root=_of(network, message.root),
        repost_of=_of(network, message.repost_of),
        quote_of=_of(network, message.quote_of),
        engagement=max(message.engagement, 0),
        hints=message.hints,
        from_brand=message.from_brand,
    )


def _of(network: str, native: str | None) -> str | None:
    return f"{network}:{native}" if native else None
