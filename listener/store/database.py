"""Connections to the read model's database, and its migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from listener.errors import SettingsError

DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
READERS: Final = 8
BUSY_SECONDS: Final = 10
"""How long a read waits for a connection, and a write of SQLite for its turn."""
POSTGRESQL: Final = {
    "random_page_cost": "1.1",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}
"""How plans are chosen: a page wants a few rows at once, of a disk without a moving head; workers
and compilers are ready later than the answer."""
BEGIN: Final = "BEGIN IMMEDIATE"
LOCK: Final = 7_315_503
"""Number of PostgreSQL's advisory lock under which a read model is written and migrated."""


def read_url(text: str) -> URL:
    """The URL with an asynchronous driver. Raises SettingsError; never tells the password."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise refused(text, "not a database URL") from None
    driver = DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise refused(text, "neither SQLite nor PostgreSQL")
    if driver.startswith("sqlite") and url.database in (None, "", ":memory:"):
        raise refused(text, "several connections cannot share a database in memory")
    if driver.startswith("sqlite") and not Path(str(url.database)).parent.is_dir():
        # Looked for here: the driver's thread may outlive a connection that could not be made.
        raise refused(text, f"no folder {Path(str(url.database)).parent}")
    return url.set(drivername=driver)


def refused(text: str, why: object) -> SettingsError:
    shown = text.partition("@")[2] or text
    return SettingsError(
        f"LISTENER_DATABASE={shown}: cannot be used ({why}); give an URL such as "
        "sqlite:///listener.db or postgresql://user:password@host/name"
    )


def connect(url: URL, *, writes: bool) -> AsyncEngine:
    """An engine for reading, or for the one writer.

    Raises SettingsError where the driver is not installed.
    """
    try:
        if url.get_backend_name() == "postgresql":
            return create_async_engine(
                url,
                pool_size=2 if writes else READERS,
                pool_pre_ping=True,
                pool_timeout=BUSY_SECONDS,
                connect_args={"server_settings": POSTGRESQL},
            )
        engine = create_async_engine(
            url,
            pool_size=1 if writes else READERS,
            pool_timeout=BUSY_SECONDS,
            connect_args={"timeout": BUSY_SECONDS},
            # Each call of SQLite goes to a thread and back. A read is one statement, which needs
            # neither a beginning nor an end: half of the calls.
            isolation_level=None if writes else "AUTOCOMMIT",
            skip_autocommit_rollback=not writes,
            pool_reset_on_return="rollback" if writes else None,
        )
    except (ImportError, NoSuchModuleError) as error:
        raise refused(str(url), f"{error}; pip install 'listener[postgres]'") from None
    _prepare_sqlite(engine.sync_engine, writes=writes)
    return engine


def _prepare_sqlite(engine: Engine, *, writes: bool) -> None:
    event.listen(engine, "connect", _pragmas)
    if writes:
        # A writer that begins as a reader could not become one while another writes.
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(BEGIN))


def _pragmas(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.close()


def upgrade(connection: Connection, to: str = "head") -> None:
    """Brings the tables up to a revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    command.upgrade(config, to)


def checkpoint(connection: Connection) -> None:
    """Empties SQLite's write-ahead log; not possible inside a transaction."""
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    cursor.close()
