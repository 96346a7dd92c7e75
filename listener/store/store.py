"""Reads and writes of the read model (SQLAlchemy Core; SQLite or any other database by URL)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Engine, Table, case, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from listener.codec import decode, encode
from listener.errors import SettingsError
from listener.records import Alert, BrandRisk, FitSignal, Linked
from listener.store.tables import alerts, brand_risk, fit_signals, mentions, metadata

T = TypeVar("T")
OPEN = ("pending", "open", "acknowledged", "reopened")


class Store:
    """The read model. Safe from several threads; calls block for as long as the database does.

    A record that is written again changes nothing, and an older version never replaces a newer
    one, so a replay of a topic is seen once. Raises SettingsError for a bad URL.
    """

    def __init__(self, url: str) -> None:
        try:
            self._engine = create_engine(url, **_options(url))
            self._prepare()
            metadata.create_all(self._engine)
        except (SQLAlchemyError, ImportError) as error:
            raise SettingsError(
                f"LISTENER_DATABASE={url.partition('@')[2] or url}: cannot be used ({error}); give "
                "an SQLAlchemy URL such as sqlite:///listener.db"
            ) from None
        self._lock = Lock()
        self.revision = 0
        """Rises with every write that may have changed something."""

    def put_alerts(self, records: Sequence[Alert]) -> None:
        rows = [
            {
                "alert_id": a.alert_id,
                "version": a.version,
                "state": a.state,
                "priority": a.priority,
                "opened_at": a.opened_at.timestamp(),
                "record": encode(a),
            }
            for a in records
        ]
        self._put(alerts, rows)

    def put_risks(self, records: Sequence[BrandRisk]) -> None:
        rows = [
            {"brand": r.brand, "version": r.at.timestamp(), "record": encode(r)} for r in records
        ]
        self._put(brand_risk, rows)

    def put_signals(self, records: Sequence[FitSignal]) -> None:
        rows = [
            {
                "key": f"{s.segment}:{s.dimension}:{s.band}",
                "version": s.at.timestamp(),
                "record": encode(s),
            }
            for s in records
        ]
        self._put(fit_signals, rows)

    def put_mentions(self, records: Sequence[Linked]) -> None:
        rows = [
            {
                "mention_id": r.mention.mention_id,
                "version": r.mention.observed_at.timestamp(),
                "subject": r.subject,
                "record": encode(r),
            }
            for r in records
        ]
        self._put(mentions, rows)

    def open_alerts(self, *, limit: int = 100) -> list[Alert]:
        """Open alerts, most pressing first, then newest."""
        rank = case({"P1": 1, "P2": 2, "P3": 3}, value=alerts.c.priority)
        query = (
            select(alerts.c.record)
            .where(alerts.c.state.in_(OPEN))
            .order_by(rank, alerts.c.opened_at.desc(), alerts.c.alert_id)
            .limit(limit)
        )
        return self._read(query, Alert)

    def brands(self) -> list[BrandRisk]:
        return self._read(select(brand_risk.c.record).order_by(brand_risk.c.brand), BrandRisk)

    def signals(self) -> list[FitSignal]:
        return self._read(select(fit_signals.c.record).order_by(fit_signals.c.key), FitSignal)

    def mentions(self, *, limit: int = 50) -> list[Linked]:
        """The newest mentions."""
        query = select(mentions.c.record).order_by(mentions.c.version.desc()).limit(limit)
        return self._read(query, Linked)

    def counts(self) -> dict[str, int]:
        """Rows of each kind; `open_alerts` of those that stand open."""
        with self._engine.connect() as connection:
            total = {
                table.name: int(connection.scalar(select(func.count()).select_from(table)) or 0)
                for table in metadata.sorted_tables
            }
            standing = connection.scalar(
                select(func.count()).select_from(alerts).where(alerts.c.state.in_(OPEN))
            )
        return total | {"open_alerts": int(standing or 0)}

    def close(self) -> None:
        self._engine.dispose()

    def _put(self, table: Table, rows: Iterable[dict[str, Any]]) -> None:
        newest: dict[str, dict[str, Any]] = {}
        key = next(iter(table.primary_key.columns)).name
        for row in rows:
            old = newest.get(row[key])
            if old is None or row["version"] >= old["version"]:
                newest[row[key]] = row
        if not newest:
            return
        with self._lock, self._engine.begin() as connection:
            connection.execute(_upsert(self._engine, table, key), list(newest.values()))
        self.revision += 1

    def _read(self, query: Any, kind: type[T]) -> list[T]:
        with self._engine.connect() as connection:
            return [decode(record, kind) for record in connection.scalars(query)]

    def _prepare(self) -> None:
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _write_ahead)


def _options(url: str) -> dict[str, Any]:
    """A database in memory is one connection's: all threads share it."""
    if url in ("sqlite://", "sqlite:///:memory:"):
        return {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    return {}


def _write_ahead(connection: Any, _: Any) -> None:
    """Readers do not wait for the writer."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA busy_timeout=5000")


def _upsert(engine: Engine, table: Table, key: str) -> Any:
    dialect: Any = postgresql if engine.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(table)
    changed = {c.name: insert.excluded[c.name] for c in table.columns if c.name != key}
    return insert.on_conflict_do_update(
        index_elements=[key], set_=changed, where=table.c.version <= insert.excluded.version
    )
