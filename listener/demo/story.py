"""The bundled stream: invented messages and customers, at times relative to a start."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any, TypeVar

import msgspec

from listener.records import Customer
from listener.sources.files import RawRecord

DAYS = 3
T = TypeVar("T")


class Line(msgspec.Struct, frozen=True):
    """One message, `at` seconds after the start."""

    at: int
    message: dict[str, Any]


class Person(msgspec.Struct, frozen=True):
    """One customer, as long with the company as `tenure_days` at the start."""

    customer_id: str
    segment: str
    tenure_days: float
    value: float
    handles: tuple[str, ...]
    external_ids: tuple[str, ...]


def story(*, start: datetime) -> Iterator[RawRecord]:
    """The messages, in order of time."""
    for line in _lines("stream.jsonl", Line):
        at = start + timedelta(seconds=line.at)
        message = line.message | {"created_at": at.isoformat()}
        yield RawRecord(line.message["author"]["id"].encode(), msgspec.json.encode(message), at)


def people(*, start: datetime) -> Iterator[Customer]:
    """The customers."""
    for person in _lines("customers.jsonl", Person):
        yield Customer(
            customer_id=person.customer_id,
            segment=person.segment,
            since=start - timedelta(days=person.tenure_days),
            value=person.value,
            handles=person.handles,
            external_ids=person.external_ids,
        )


def policy_text() -> str:
    return _read("policy.yaml").decode()


def _lines(name: str, kind: type[T]) -> list[T]:
    return msgspec.json.Decoder(kind).decode_lines(_read(name))


def _read(name: str) -> bytes:
    return files("listener.demo").joinpath(name).read_bytes()
