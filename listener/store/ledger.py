"""What the page keeps for itself: dead letters, who did what, who has seen what, and state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from listener.store.cursors import Page, read_cursor, write_cursor
from listener.store.tables import alerts, audit, dead_letters, forgotten, offsets, seen

CHUNK: Final = 500


class Letter(NamedTuple):
    letter_id: str
    raw_key: bytes | None
    record: bytes


class Deed(NamedTuple):
    """Who did what, when (seconds since 1970)."""

    at: float
    actor: str
    role: str
    what: str
    target: str
    detail: str


class Outstanding(NamedTuple):
    """Deletions whose text has left the tables and may still be on the disk, and when the first
    of them was asked for (seconds since 1970)."""

    deletes: int
    since: float | None


class LedgerReads:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def letters(self, *, cursor: str | None = None, limit: int = 50) -> Page[Letter]:
        """Newest first. Raises InputError for a cursor of another list."""
        d = dead_letters.c
        query = select(d.letter_id, d.raw_key, d.record, d.at).order_by(
            d.at.desc(), d.letter_id.desc()
        )
        if cursor is not None:
            at, name = read_cursor(cursor, (float, str))
            query = query.where((d.at < at) | ((d.at == at) & (d.letter_id < name)))
        async with self._engine.connect() as connection:
            found = list(await connection.execute(query.limit(limit + 1)))
        last = found[limit - 1] if len(found) > limit else None
        more = write_cursor((last.at, last.letter_id)) if last is not None else None
        return Page([Letter(r.letter_id, r.raw_key, r.record) for r in found[:limit]], more)

    async def letter(self, letter_id: str) -> Letter | None:
        d = dead_letters.c
        query = select(d.letter_id, d.raw_key, d.record).where(d.letter_id == letter_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).first()
        return Letter(*row) if row is not None else None

    async def letter_counts(self) -> dict[str, int]:
        """Dead letters by stage."""
        query = select(dead_letters.c.stage, func.count()).group_by(dead_letters.c.stage)
        async with self._engine.connect() as connection:
            return {stage: n for stage, n in await connection.execute(query)}

    async def deeds(self, *, cursor: str | None = None, limit: int = 50) -> Page[Deed]:
        """Newest first. Raises InputError for a cursor of another list."""
        query = select(audit).order_by(audit.c.id.desc())
        if cursor is not None:
            query = query.where(audit.c.id < read_cursor(cursor, (int,))[0])
        async with self._engine.connect() as connection:
            found = list(await connection.execute(query.limit(limit + 1)))
        more = write_cursor((found[limit - 1].id,)) if len(found) > limit else None
        return Page(
            [Deed(r.at, r.actor, r.role, r.what, r.target, r.detail) for r in found[:limit]], more
        )

    async def unscrubbed(self) -> list[str]:
        """Digests of deletions whose text may still be on the disk."""
        f = forgotten.c
        async with self._engine.connect() as connection:
            found = await connection.scalars(select(f.digest).where(f.scrubbed.is_(False)))
            return list(found)

    async def outstanding(self) -> Outstanding:
        f = forgotten.c
        query = select(func.count(), func.min(f.at)).where(f.scrubbed.is_(False))
        async with self._engine.connect() as connection:
            return Outstanding(*(await connection.execute(query)).one())

    async def offsets(self) -> dict[tuple[str, int], int]:
        """The next offset of each topic's partition."""
        async with self._engine.connect() as connection:
            found = await connection.execute(select(offsets))
            return {(row.topic, row.partition): row.next for row in found}


async def note(
    connection: AsyncConnection,
    *,
    at: datetime,
    actor: str,
    role: str,
    what: str,
    target: str,
    detail: str = "",
) -> None:
    """Adds a line to the audit."""
    row: dict[str, Any] = {
        "at": at.timestamp(),
        "actor": actor,
        "role": role,
        "what": what,
        "target": target,
        "detail": detail,
    }
    await connection.execute(insert(audit).values(row))


async def mark_scrubbed(connection: AsyncConnection, digests: Sequence[str]) -> None:
    for start in range(0, len(digests), CHUNK):
        some = list(digests[start : start + CHUNK])
        await connection.execute(
            update(forgotten).where(forgotten.c.digest.in_(some)).values(scrubbed=True)
        )


async def mark_seen(connection: AsyncConnection, *, actor: str, alert_id: str) -> None:
    """The actor has seen the alert as it is now."""
    mark = await connection.scalar(select(alerts.c.mark).where(alerts.c.alert_id == alert_id))
    if mark is None:
        return
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(seen).values(actor=actor, alert_id=alert_id, mark=mark)
    await connection.execute(
        new.on_conflict_do_update(index_elements=["actor", "alert_id"], set_={"mark": mark})
    )
