"""Files of raw messages, for `listener replay`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from listener.errors import InputError


class RawRecord(NamedTuple):
    """A raw message and when it was seen."""

    key: bytes
    value: bytes
    at: datetime


def read_records(path: Path) -> Iterator[RawRecord]:
    """The lines of a JSON-lines file. One that cannot be dated has the time of the one before: it
    is still sent, and ends in dead letters. Raises InputError."""
    last = datetime.now(UTC)
    empty = True
    try:
        with path.open("rb") as lines:
            for line in lines:
                if not line.strip():
                    continue
                empty = False
                record = to_record(line.strip(), last)
                last = record.at
                yield record
    except OSError as error:
        raise InputError(
            f"{path}: cannot read ({error.strerror}); give a JSON-lines file"
        ) from None
    if empty:
        raise InputError(f"{path}: no lines in it; give a JSON-lines file")


def to_record(value: bytes, otherwise: datetime) -> RawRecord:
    content: Any = None
    with suppress(msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        content = msgspec.json.decode(value)
    fields = content if isinstance(content, dict) else {}
    return RawRecord(_author(fields.get("author")).encode(), value, _when(fields, otherwise))


def _author(author: Any) -> str:
    name = author.get("id") if isinstance(author, dict) else author
    return str(name or "")


def _when(fields: dict[str, Any], otherwise: datetime) -> datetime:
    with suppress(KeyError, ValueError, TypeError, OverflowError):
        at = datetime.fromisoformat(fields["created_at"])
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return otherwise
