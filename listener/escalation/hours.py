"""Business time: how long a customer has waited, and when a target is reached."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Final, Literal

import holidays
import msgspec

from listener.escalation.routes import clock, zone
from listener.records import Priority

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONGEST: Final = 120
"""Days that are looked at: a thread is dropped long before."""


class Hours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the desk is staffed."""

    timezone: str = "UTC"
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = _DAYS[:5]
    opens: str = "09:00"
    closes: str = "17:00"
    country: str | None = None
    """ISO code of the country whose public holidays are free."""
    region: str | None = None
    holidays: tuple[date, ...] = ()
    """Free days of the house."""
    always: tuple[Priority, ...] = ("P1",)
    """Priorities whose clock runs at night and on free days, too."""

    def __post_init__(self) -> None:
        zone(self.timezone)
        if not clock(self.opens) < clock(self.closes):
            raise ValueError(f"opens {self.opens} must lie before closes {self.closes}")
        if not self.days:
            raise ValueError("days is empty; name one day or more")
        _public(self.country, self.region)


def elapsed(start: datetime, end: datetime, hours: Hours | None, priority: Priority) -> float:
    """Seconds of business time between two moments."""
    if end <= start:
        return 0.0
    if hours is None or priority in hours.always:
        return (end - start).total_seconds()
    total = 0.0
    for opens, closes in _windows(start, hours):
        if opens >= end:
            break
        total += max((min(closes, end) - max(opens, start)).total_seconds(), 0.0)
    return total


def after(start: datetime, seconds: float, hours: Hours | None, priority: Priority) -> datetime:
    """When `seconds` of business time have passed since `start`."""
    if hours is None or priority in hours.always:
        return start + timedelta(seconds=max(seconds, 0.0))
    left = max(seconds, 0.0)
    closes = start
    for opens, closes in _windows(start, hours):
        begins = max(opens, start)
        if (closes - begins).total_seconds() >= left:
            return begins + timedelta(seconds=left)
        left -= max((closes - begins).total_seconds(), 0.0)
    return closes


def _windows(start: datetime, hours: Hours) -> Iterator[tuple[datetime, datetime]]:
    """Open times of the days from that of `start`, which are still to end."""
    place = zone(hours.timezone)
    opens, closes = clock(hours.opens), clock(hours.closes)
    first = start.astimezone(place).date()
    for number in range(_LONGEST):
        day = first + timedelta(days=number)
        if _works(day, hours):
            begins = datetime.combine(day, opens, place).astimezone(UTC)
            ends = datetime.combine(day, closes, place).astimezone(UTC)
            if ends > start:
                yield begins, ends


def _works(day: date, hours: Hours) -> bool:
    free = day in hours.holidays or day in _public(hours.country, hours.region)
    return _DAYS[day.weekday()] in hours.days and not free


@cache
def _public(country: str | None, region: str | None) -> Any:
    """Public holidays, by date. Raises ValueError for a place that the library does not know."""
    if country is None:
        return {}
    try:
        return holidays.country_holidays(country, subdiv=region)
    except NotImplementedError as error:
        raise ValueError(f"country {country}, region {region}: {error}") from None
