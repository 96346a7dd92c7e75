"""Whom an alert goes to: routes of up to five steps, and who is on call at a time."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from listener.records import Alert, Priority

STEPS: Final = 5
ON_CALL: Final = "on-call:"
"""A step's target that starts so names a schedule; any other names a receiver."""


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alerts are meant: of each line that is given, one value must fit."""

    priority: tuple[Priority, ...] = ()
    brand: tuple[str, ...] = ()
    issue: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    segment: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()

    def fits(self, traits: Traits) -> bool:
        return all(
            not wanted or getattr(traits, name) in wanted
            for name, wanted in msgspec.structs.asdict(self).items()
        )


class Traits(NamedTuple):
    """What routes and silences look at."""

    priority: str
    brand: str
    issue: str
    channel: str
    segment: str
    kind: str


class RouteStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tell: tuple[str, ...]
    """Receivers, and `on-call:NAME` for whoever that schedule has on duty."""
    wait_minutes: float | None = None
    """Minutes without acknowledgement until the next step; none: until the SLA's due time."""


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first route that fits an alert takes it."""

    name: str
    match: Match = Match()
    steps: tuple[RouteStep, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.steps) <= STEPS:
            raise ValueError(f"route {self.name} has {len(self.steps)} steps; give 1 to {STEPS}")


class Override(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody else is on duty from `start` up to `end`."""

    start: datetime
    end: datetime
    tell: str


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Receivers that take turns of `days` days; the first turn begins on `starts`."""

    rotation: tuple[str, ...]
    timezone: str = "UTC"
    handover: str = "09:00"
    """Local time at which a turn begins."""
    starts: date = date(2026, 1, 5)
    days: int = 7
    overrides: tuple[Override, ...] = ()

    def __post_init__(self) -> None:
        if not self.rotation or self.days < 1:
            raise ValueError("a schedule needs a rotation of one or more, and days of 1 or more")
        zone(self.timezone)
        clock(self.handover)

    def on_duty(self, now: datetime) -> str:
        for override in self.overrides:
            if override.start <= now < override.end:
                return override.tell
        local = now.astimezone(zone(self.timezone))
        begun = local.date() - timedelta(days=local.time() < clock(self.handover))
        turn = (begun - self.starts).days // self.days
        return self.rotation[turn % len(self.rotation)]


def route_of(routes: tuple[Route, ...], traits: Traits) -> Route | None:
    return next((route for route in routes if route.match.fits(traits)), None)


def receivers_of(step: RouteStep, schedules: dict[str, Schedule], now: datetime) -> tuple[str, ...]:
    """Names of the receivers that a step tells at `now`, each once."""
    named = (
        schedules[target.removeprefix(ON_CALL)].on_duty(now)
        if target.startswith(ON_CALL)
        else target
        for target in step.tell
    )
    return tuple(dict.fromkeys(named))


def traits_of(alert: Alert, *, channel: str, segment: str) -> Traits:
    return Traits(alert.priority, alert.brand or "", alert.issue, channel, segment, alert.kind)


def zone(name: str) -> ZoneInfo:
    """Raises ValueError for a time zone that there is not."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError):
        raise ValueError(f"no time zone {name!r}; give one such as Europe/Berlin") from None


def clock(text: str) -> time:
    """Raises ValueError for what is no time of day."""
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise ValueError(f"no time of day {text!r}; give one such as 09:00") from None
