"""Records to bytes and back. One encoder, one decoder a record type."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from listener.errors import InvalidMessage

_encoder = msgspec.json.Encoder()


def encode(record: object) -> bytes:
    """JSON bytes of a record, fields in their order, UTF-8."""
    return _encoder.encode(record)


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def decode(payload: bytes | None, kind: Any) -> Any:
    """The record in `payload`. Raises InvalidMessage with the path of the field at fault."""
    if payload is None:
        raise InvalidMessage("empty value (a tombstone) where a record was expected")
    try:
        return _decoder(kind).decode(payload)
    except RecursionError:
        raise InvalidMessage("nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        reason, _, field = str(error).partition(" - at ")
        raise InvalidMessage(reason, field=field.strip("`") or "$") from None
