"""Public posts as `airlines_2015.jsonl` has them."""

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
    reposts: int = 0


def parse(payload: bytes, *, observed_at: datetime) -> Mention:
    post: Post = read(payload, Post)
    when = times(post.created_at, observed_at=observed_at)
    author = check_id(post.author, field="$.author")
    return Mention(
        mention_id=f"{NETWORK}:{check_id(post.id, field='$.id')}",
        network=NETWORK,
        author=Author(id=author, handle=author),
        text=check_text(post.text),
        created_at=when.created_at,
        observed_at=observed_at,
        event_time=when.event_time,
        backfill=when.backfill,
        engagement=max(post.reposts, 0),
    )
