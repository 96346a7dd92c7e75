"""The read model: one writer, many readers, SQLite or PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Self

from sqlalchemy import delete, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from listener.store import database, forgetting, ledger, writing
from listener.store.alerts import AlertReads
from listener.store.figures import FigureReads
from listener.store.forgetting import Retention
from listener.store.ledger import LedgerReads
from listener.store.mentions import MentionReads
from listener.store.rows import Received
from listener.store.tables import PROJECTED, offsets


class Store:
    """The read model. Reads run side by side; writes take turns, each a transaction of its own.

    Safe to have open in several processes at once.
    """

    def __init__(self, reader: AsyncEngine, writer: AsyncEngine) -> None:
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()
        self.alerts = AlertReads(reader)
        self.mentions = MentionReads(reader)
        self.figures = FigureReads(reader)
        self.ledger = LedgerReads(reader)

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connects and brings the tables up to date. Raises SettingsError for a bad URL or a
        database that cannot be used."""
        parsed = database.read_url(url)
        writer = database.connect(parsed, writes=True)
        store = cls(database.connect(parsed, writes=False), writer)
        try:
            async with writer.begin() as connection:
                await connection.run_sync(database.upgrade)
        except (SQLAlchemyError, OSError) as error:
            await store.close()
            raise database.refused(url, error) from None
        return store

    async def close(self) -> None:
        await self._reader.dispose()
        await self._writer.dispose()

    async def take(self, received: Sequence[Received], places: Mapping[writing.Place, int]) -> None:
        """Applies records and their offsets, both or neither."""
        async with self._write() as connection:
            await writing.take(connection, received, places)

    async def rewind(self, place: writing.Place) -> None:
        """Forgets how far a partition was read: its topic was made anew."""
        async with self._write() as connection:
            await connection.execute(
                delete(offsets).where(offsets.c.topic == place[0], offsets.c.partition == place[1])
            )

    async def note(
        self, *, at: datetime, actor: str, role: str, what: str, target: str, detail: str = ""
    ) -> None:
        """Adds a line to the audit."""
        async with self._write() as connection:
            await ledger.note(
                connection, at=at, actor=actor, role=role, what=what, target=target, detail=detail
            )

    async def mark_seen(self, *, actor: str, alert_id: str) -> None:
        async with self._write() as connection:
            await ledger.mark_seen(connection, actor=actor, alert_id=alert_id)

    async def prune(self, keep: Retention, *, now: datetime) -> None:
        """Deletes what is older than its retention."""
        async with self._write() as connection:
            await forgetting.prune(connection, keep, now=now)

    async def empty(self) -> None:
        """Deletes what came from the topics; audit and unread marks stay."""
        async with self._write() as connection:
            for table in PROJECTED:
                await connection.execute(delete(table))
        await self.scrub()

    async def scrub(self) -> None:
        """Takes the last of what was deleted off the disk: out of the search index and the log on
        SQLite (its pages are overwritten as they are freed), by VACUUM on PostgreSQL."""
        due = await self.ledger.unscrubbed()
        if self._writer.dialect.name == "postgresql":
            await self._vacuum()
        else:
            await self._overwrite()
        async with self._write() as connection:
            await ledger.mark_scrubbed(connection, due)

    async def _vacuum(self) -> None:
        async with self._writer.connect() as connection:
            plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
            for table in ("mentions", "alerts", "subjects", "offers", "dead_letters"):
                await plain.execute(text(f"VACUUM {table}"))

    async def _overwrite(self) -> None:
        async with self._write() as connection:
            await connection.execute(
                text("INSERT INTO mentions_fts(mentions_fts) VALUES ('optimize')")
            )
        async with self._turn, self._writer.connect() as connection:
            await connection.run_sync(database.checkpoint)

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        async with self._turn, self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({database.LOCK})"))
            yield connection
