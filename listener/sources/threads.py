"""Threads of customers and support accounts as `support_threads_2017.jsonl` has them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from listener.records import Author, Mention
from listener.sources.door import check_id, check_text, read, times

NETWORK = "x"


class Post(msgspec.Struct, frozen=True):
    id: str
    author: str
    created_at: datetime
    text: str
    from_brand: bool = False
    in_reply_to: str | None = None


def parse(payload: bytes, *, observed_at: datetime) -> Mention:
    post: Post = read(payload, Post)
    when = times(post.created_at, observed_at=observed_at)
    author = check_id(post.author, field="$.author")
    return Mention(
        mention_id=f"{NETWORK}:{check_id(post.id, field='$.id')}",
        network=NETWORK,
        channel="public",
        author=Author(id=author, handle=author),
        text=check_text(post.text),
        created_at=when.created_at,
        observed_at=observed_at,
        event_time=when.event_time,
        backfill=when.backfill,
        parent=f"{NETWORK}:{post.in_reply_to}" if post.in_reply_to else None,
        from_brand=post.from_brand,
    )
