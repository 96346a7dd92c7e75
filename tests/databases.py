"""Both databases that the read model runs on."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.brokers import free_port

FOLDERS = (*map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"))[::-1]), "/usr/local/bin")


@contextmanager
def postgresql() -> Iterator[str]:
    """URL of a server of our own; skipped where it is not installed, but never in CI. It refuses
    to run as root, so root lends it to another user."""
    initdb, postgres = (
        shutil.which(name, path=":".join(FOLDERS)) for name in ("initdb", "postgres")
    )
    if initdb is None or postgres is None:
        assert "LISTENER_CI" not in os.environ, "CI must run on PostgreSQL: install postgresql"
        pytest.skip("no PostgreSQL found: install Debian's postgresql")
    user = _user()
    with tempfile.TemporaryDirectory(prefix="listener-pg-") as folder:
        if user is not None:
            os.chown(folder, user, -1)
        data, port = f"{folder}/data", free_port()
        subprocess.run(
            [initdb, "-D", data, "-U", "listener", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True, capture_output=True, user=user, cwd=folder,
        )  # fmt: skip
        server = subprocess.Popen(
            [postgres, "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd=folder,
        )  # fmt: skip
        try:
            _await_server(str(Path(postgres).parent), port)
            yield f"postgresql://listener@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait(30)


def _user() -> int | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    return None


def _await_server(folder: str, port: int) -> None:
    probe = [f"{folder}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    for _ in range(300):
        if subprocess.run(probe, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError("PostgreSQL did not start")


async def cleared(url: str) -> str:
    """The server's database without anything in it."""
    connection = await asyncpg.connect(url)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.close()
    return url
