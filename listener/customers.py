"""Customers from a file of the CRM, row by row: good rows are kept, bad ones have a reason."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from listener.columns import Columns
from listener.errors import InputError, InvalidMessage
from listener.records import Customer

Seal = Callable[[Customer], Customer]
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_DATES: Final = ("since", "left_at")
_TRUE: Final = (True, "yes", "true", "1", "y")


class Row(NamedTuple):
    """One row: a customer, an id to erase (no customer), or what is wrong with it."""

    line: int
    customer_id: str = ""
    customer: Customer | None = None
    fault: str | None = None
    read: int = 0
    """Bytes of the file up to here."""


def read_customers(path: Path, *, mapping: Mapping[str, str], seal: Seal) -> Iterator[Row]:
    """The rows of a .csv (a header with field names) or .jsonl file, one after the other.

    `mapping`: column → field. `seal` replaces e-mails and phones by their hashes. Raises InputError
    where the file cannot be read at all.
    """
    readers = {".csv": _csv, ".jsonl": _jsonl}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: unknown kind of file; give a .csv or a .jsonl")
    try:
        for line, read, content in reader(path, mapping):
            yield _row(line, read, content, seal)
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror}); give a readable file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error.reason}); save it as UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{path}: not CSV ({error}); save it as CSV, in UTF-8") from None


_Content = Callable[[], dict[str, Any]]
_Rows = Iterator[tuple[int, int, _Content]]


def _jsonl(path: Path, mapping: Mapping[str, str]) -> _Rows:
    read = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            read += len(line)
            if line.strip():
                yield number, read, partial(_object, line, mapping)


def _object(line: bytes, mapping: Mapping[str, str]) -> dict[str, Any]:
    found = msgspec.json.decode(line, type=dict[str, Any])
    return {mapping.get(name, name): value for name, value in found.items()}


def _csv(path: Path, mapping: Mapping[str, str]) -> _Rows:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        counted = _Counted(lines)
        first = next(counted, "")
        delimiter = max(";,\t", key=first.count)
        header = next(csv.reader([first], delimiter=delimiter), [])
        columns = Columns(header, mapping)
        reader = csv.reader(counted, delimiter=delimiter)
        for cells in reader:
            if any(cells):
                yield counted.line, counted.read, partial(_cells, columns, header, cells)


def _cells(columns: Columns, header: list[str], cells: list[str]) -> dict[str, Any]:
    if len(cells) > len(header):
        raise ValueError(f"{len(cells)} cells where the header has {len(header)}")
    return columns.read(dict(zip(header, cells, strict=False)))


class _Counted:
    """Lines of a text file, with how far they got."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.line = 0
        self.read = 0

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> str:
        text = next(self._lines)
        self.line += 1
        self.read += len(text.encode())
        return text


def _row(line: int, read: int, content: _Content, seal: Seal) -> Row:
    try:
        fields = content()
        if fields.pop("erase", None) in _TRUE:
            return Row(line, _id_of(fields), read=read)
        customer = msgspec.convert(_dated(fields), Customer, strict=False)
        return Row(line, customer.customer_id, seal(customer), read=read)
    except InvalidMessage as error:
        return Row(line, fault=f"{error.field}: {error.reason}", read=read)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        reason, _, field = str(error).partition(" - at ")
        return Row(line, fault=f"{field.strip('`')}: {reason}" if field else reason, read=read)


def _id_of(fields: dict[str, Any]) -> str:
    return msgspec.convert({"customer_id": fields.get("customer_id")}, _Id).customer_id


class _Id(msgspec.Struct):
    customer_id: str


def _dated(fields: dict[str, Any]) -> dict[str, Any]:
    """A day is its first moment, and a time without a zone is UTC's."""
    for name in _DATES:
        given = fields.get(name)
        if isinstance(given, str):
            text = f"{given}T00:00:00" if _DAY.fullmatch(given) else given
            found = msgspec.convert(text, datetime)
            fields[name] = found if found.tzinfo else found.replace(tzinfo=UTC)
    return fields
