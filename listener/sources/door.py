"""What every source checks before a payload may enter: size, encoding, times, text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from listener.codec import decode
from listener.errors import InvalidMessage

MAX_PAYLOAD: Final = 1_000_000
MAX_TEXT: Final = 100_000
EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
FUTURE: Final = timedelta(minutes=5)
PAST: Final = timedelta(hours=36)
MAX_ID: Final = 512


class Times(NamedTuple):
    created_at: datetime
    event_time: datetime
    backfill: bool


def read(payload: bytes, kind: Any) -> Any:
    """The payload as a record. Raises InvalidMessage whatever it is."""
    if len(payload) > MAX_PAYLOAD:
        raise InvalidMessage(f"payload of {len(payload)} bytes, more than {MAX_PAYLOAD}")
    return decode(payload, kind)


def check_text(text: str) -> str:
    """The text without NULs. Raises InvalidMessage where it is too long or not Unicode."""
    if len(text) > MAX_TEXT:
        raise InvalidMessage(
            f"text of {len(text)} characters, more than {MAX_TEXT}", field="$.text"
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidMessage("text with a lone surrogate", field="$.text") from None
    return text.replace("\x00", "")


def check_id(identifier: str, *, field: str) -> str:
    """The identifier without blanks around it. Raises InvalidMessage where it is empty or huge."""
    identifier = identifier.strip()
    if not identifier or len(identifier) > MAX_ID or "\x00" in identifier:
        raise InvalidMessage("an id of 1 to 512 characters was expected", field=field)
    return identifier


def times(claimed: datetime, *, observed_at: datetime) -> Times:
    """The claimed time where it can be believed, else the observation (design §3)."""
    claimed = claimed if claimed.tzinfo else claimed.replace(tzinfo=UTC)
    try:
        claimed = claimed.astimezone(UTC)
        absurd = claimed < EARLIEST or claimed > observed_at + timedelta(days=366)
    except OverflowError:
        absurd = True
    if absurd:
        raise InvalidMessage(f"absurd time {claimed.isoformat()}", field="$.created_at")
    if observed_at - PAST <= claimed <= observed_at + FUTURE:
        return Times(claimed, claimed, backfill=False)
    return Times(claimed, observed_at, backfill=True)
