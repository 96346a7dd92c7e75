"""Alerts to a file, one JSON object a line, each notice once."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import IO

import msgspec

from listener.codec import encode
from listener.errors import DeliveryDelayed, SettingsError
from listener.records import Alert, Digest


class _Line(msgspec.Struct):
    key: str


class JsonLines:
    """Appends, and remembers over a restart what is in the file already.

    A last line that a kill has torn is cut off. Raises SettingsError where the file cannot be
    written.
    """

    def __init__(self, path: Path, *, name: str = "file") -> None:
        self.name = name
        self._path = path
        try:
            self._keys = _mend(path)
            self._file: IO[bytes] = path.open("ab")
        except OSError as error:
            raise SettingsError(
                f"receiver {name}, file {path}: cannot write ({error.strerror}); give a path in a "
                "folder that exists (LISTENER_ALERTS_FILE, or its path in the policy)"
            ) from None

    async def send(self, alert: Alert, *, key: str, ref: str | None = None) -> None:
        await self._add(key, {"key": key, "alert": alert})

    async def report(self, digest: Digest, *, key: str) -> None:
        await self._add(key, {"key": key, "digest": digest})

    async def _add(self, key: str, content: dict[str, object]) -> None:
        if key in self._keys:
            return
        line = encode(content) + b"\n"
        try:
            await asyncio.to_thread(self._append, line)
        except OSError as error:
            raise DeliveryDelayed(f"{self._path.name}: {error.strerror}") from None
        self._keys.add(key)

    async def close(self) -> None:
        self._file.close()

    def _append(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())


def _mend(path: Path) -> set[str]:
    """The keys in the file; what follows its last whole line is cut off."""
    if not path.exists():
        return set()
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    keys = set()
    for line in content[:whole].splitlines():
        try:
            keys.add(msgspec.json.decode(line, type=_Line).key)
        except msgspec.DecodeError:
            continue
    return keys
