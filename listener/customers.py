"""Customers from a file of the CRM."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from listener.errors import InputError
from listener.records import Customer

LISTS = ("external_ids", "email_hashes", "handles", "domains")
"""Fields that a CSV separates by semicolons."""


def read_customers(path: Path) -> Iterator[Customer]:
    """The customers of a .csv (a header with the field names) or .jsonl file.

    Raises InputError with the line at fault.
    """
    readers = {".csv": _csv, ".jsonl": _jsonl}
    reader = readers.get(path.suffix)
    if reader is None:
        raise InputError(f"{path}: unknown kind of file; give a .csv or a .jsonl")
    try:
        yield from reader(path)
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror}); give a readable file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error.reason}); save it as UTF-8") from None


def _jsonl(path: Path) -> Iterator[Customer]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _customer(path, number, lambda line=line: msgspec.json.decode(line))


def _csv(path: Path) -> Iterator[Customer]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines), 2):
            yield _customer(path, number, lambda row=row: _plain(row))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in row.items() if name and value not in (None, "")}
    for name in LISTS:
        if name in found:
            found[name] = [part.strip() for part in found[name].split(";") if part.strip()]
    return found


def _customer(path: Path, number: int, content: Any) -> Customer:
    try:
        return msgspec.convert(content(), Customer, strict=False)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}, line {number}: {error}; mend that line") from None
