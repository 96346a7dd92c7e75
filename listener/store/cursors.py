"""Pages of a long list: opaque cursors, so that what comes meanwhile shifts nothing."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

from listener.errors import InputError

T = TypeVar("T")
Place = tuple[Any, ...]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some of a list. `next` asks for what follows; None at the end."""

    items: list[T]
    next: str | None = None


def write_cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_cursor(text: str, kinds: Sequence[type]) -> Place:
    """The values in a cursor. Raises InputError for one that this list did not give."""
    padded = text + "=" * (-len(text) % 4)
    try:
        values = msgspec.json.decode(base64.urlsafe_b64decode(padded.encode("ascii")))
        right = isinstance(values, list) and len(values) == len(kinds)
        if right and all(_fits(v, kind) for v, kind in zip(values, kinds, strict=True)):
            return tuple(values)
    except (ValueError, binascii.Error, msgspec.DecodeError, RecursionError):
        pass
    raise InputError(f"cursor={text[:40]}: not one of this list; leave it out to start over")


def _fits(value: object, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and abs(value) < 2**62
    if kind is int:
        return isinstance(value, int) and abs(value) < 2**63
    return isinstance(value, kind) and "\x00" not in str(value)
