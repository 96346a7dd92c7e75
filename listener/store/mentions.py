"""What the search and the threads ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Select, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from listener.store.cursors import Page, read_cursor, write_cursor
from listener.store.rows import WORD, first_id
from listener.store.tables import mentions

MOST_TERMS: Final = 12
COLUMNS: Final = (
    "brand", "issue", "channel", "network", "sentiment", "subject", "author", "customer_id",
    "thread",
)  # fmt: skip


class MentionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which mentions; None asks for nothing. `q`: words that all must be in the text; one that
    ends in `*` is the beginning of a word. `since` and `until`: seconds since 1970."""

    q: str | None = None
    brand: str | None = None
    issue: str | None = None
    channel: str | None = None
    network: str | None = None
    sentiment: str | None = None
    subject: str | None = None
    author: str | None = None
    customer_id: str | None = None
    thread: str | None = None
    since: float | None = None
    until: float | None = None


class MentionReads:
    """Reads mentions, newest first; each call is one short transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(
        self, wanted: MentionFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page[bytes]:
        """Raises InputError for a cursor of another list."""
        query = _chosen(select(mentions.c.id, mentions.c.record), wanted)
        query = _searched(query, wanted.q, self._engine.dialect.name)
        if cursor is not None:
            query = query.where(mentions.c.id < read_cursor(cursor, (int,))[0])
        order = _order(wanted, self._engine.dialect.name)
        async with self._engine.connect() as connection:
            found = list(await connection.execute(query.order_by(order).limit(limit + 1)))
        more = write_cursor((found[limit - 1].id,)) if len(found) > limit else None
        return Page([row.record for row in found[:limit]], more)

    async def get(self, mention_ids: Sequence[str]) -> list[bytes]:
        """Those that are there, oldest first."""
        query = select(mentions.c.record).where(mentions.c.mention_id.in_(list(mention_ids)))
        async with self._engine.connect() as connection:
            return list(await connection.scalars(query.order_by(mentions.c.id)))

    async def threads(self, names: Sequence[str], *, limit: int = 60) -> list[bytes]:
        """Every message of the conversations that messages are part of, oldest first."""
        roots = select(mentions.c.thread).where(mentions.c.mention_id.in_(list(names)))
        query = (
            select(mentions.c.id, mentions.c.record)
            .where(mentions.c.thread.in_(roots))
            .order_by(mentions.c.id.desc())
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return [row.record for row in list(await connection.execute(query))[::-1]]

    async def count(self) -> int:
        """How many there are; of a very large table about how many."""
        async with self._engine.connect() as connection:
            if self._engine.dialect.name == "postgresql":
                query = text("SELECT reltuples FROM pg_class WHERE oid = 'mentions'::regclass")
                about = int(await connection.scalar(query) or 0)
                if about > 100_000:
                    return about
            return int(await connection.scalar(select(func.count()).select_from(mentions)) or 0)


def _chosen(query: Select[Any], wanted: MentionFilter) -> Select[Any]:
    for name in COLUMNS:
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(mentions.c[name] == value)
    if wanted.since is not None:
        query = query.where(mentions.c.id >= first_id(_bounded(wanted.since)))
    if wanted.until is not None:
        query = query.where(mentions.c.id < first_id(_bounded(wanted.until)))
    return query


def _bounded(at: float) -> float:
    """What an id can hold."""
    return min(max(at, -1e9), 2e9)


def _searched(query: Select[Any], q: str | None, dialect: str) -> Select[Any]:
    terms = _terms(q) if q else []
    if not q or not q.strip():
        return query
    if not terms:
        # Nothing but signs was asked for: no word has them.
        return query.where(text("1 = 0"))
    if dialect == "postgresql":
        wanted = " & ".join(f"'{word}':*" if starts else f"'{word}'" for word, starts in terms)
        match = text("mentions.terms @@ to_tsquery('simple', :wanted)")
        return query.where(match.bindparams(wanted=wanted))
    fts = " ".join(f'"{word}"*' if starts else f'"{word}"' for word, starts in terms)
    joined = query.join_from(
        mentions, text("mentions_fts"), text("mentions_fts.rowid = mentions.id")
    )
    return joined.where(text("mentions_fts MATCH :wanted").bindparams(wanted=fts))


def _terms(q: str) -> list[tuple[str, bool]]:
    lower = q.lower()
    found = [(m[0], lower[m.end() : m.end() + 1] == "*") for m in WORD.finditer(lower)]
    return found[:MOST_TERMS]


def _order(wanted: MentionFilter, dialect: str) -> Any:
    # FTS5 walks its own index backwards only where the order is its own.
    if wanted.q and _terms(wanted.q) and dialect == "sqlite":
        return text("mentions_fts.rowid DESC")
    return mentions.c.id.desc()
