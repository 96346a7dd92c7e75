"""When a burst is real (significance), when it matters (burn), and when it is over again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from listener.brand.dating import began, ended
from listener.brand.figures import WINDOWS, burn, history, significance, time
from listener.brand.grounds import grounds
from listener.brand.policy import BrandPolicy
from listener.brand.state import DAY, HOUR, BrandState, ChannelState
from listener.records import Burst, Channel, Incident

P_QUIET: Final = 0.05
"""Short-window p above which an open burst is quiet."""
SPOILED: Final = 3 * DAY
"""Longest that an incident keeps its hours out of the baseline: what lasts is the new usual."""


def examine(tick: int, brand: str, name: Channel, state: BrandState, policy: BrandPolicy) -> bool:
    """Opens, follows and closes the channel's burst and incident; whether one of them changed
    between open and closed."""
    channel = state.channels[name]
    if history(channel, tick) < policy.min_history_hours * HOUR:
        return False
    before = _open(channel.burst), _open(channel.incident)
    _burst(tick, brand, channel, policy)
    if _open(channel.incident):
        _follow(tick, brand, channel, policy)
    elif (kind := _kind(tick, channel, policy)) is not None:
        _start(tick, brand, name, kind, channel, policy)
    if channel.incident is not None and (_open(channel.incident) or before[1]):
        found = grounds(tick, brand, name, channel.incident, state)
        channel.incident = msgspec.structs.replace(channel.incident, grounds=found)
    return before != (_open(channel.burst), _open(channel.incident))


def spoils(incident: Incident | None, start: int) -> bool:
    """Whether the hour that begins at `start` is no baseline: it lies in a page."""
    if incident is None or incident.kind != "page":
        return False
    opened = int(incident.started_at.timestamp())
    closed = int(incident.ended_at.timestamp()) if incident.ended_at else start + HOUR
    return opened < start + HOUR and start < min(closed, opened + SPOILED)


def close_all(tick: int, channels: Iterable[ChannelState]) -> None:
    """Nothing has been heard for more than a day."""
    for channel in channels:
        burst, incident = channel.burst, channel.incident
        if burst is not None and burst.ended_at is None:
            channel.burst = msgspec.structs.replace(burst, ended_at=time(tick))
        if incident is not None and incident.ended_at is None:
            channel.incident = msgspec.structs.replace(incident, ended_at=time(tick))


def _open(episode: Burst | Incident | None) -> bool:
    return episode is not None and episode.ended_at is None


def _burst(tick: int, brand: str, channel: ChannelState, policy: BrandPolicy) -> None:
    burst = channel.burst
    if burst is not None and burst.ended_at is None:
        channel.burst = _followed(tick, brand, burst, channel, policy)
        return
    ratio = _real(tick, channel, policy)
    if ratio is None:
        return
    channel.quiet = 0
    channel.burst = Burst(
        started_at=time(began(tick, brand, channel, policy)), found_at=time(tick), peak=ratio
    )
    if burst is not None and _resumes(burst, tick, policy):
        channel.burst = msgspec.structs.replace(burst, ended_at=None)


def _real(tick: int, channel: ChannelState, policy: BrandPolicy) -> float | None:
    """Multiple of the usual where distinct authors are significantly many; None elsewhere."""
    p_short, sudden, few = significance(channel, tick, WINDOWS["15m"])
    if p_short >= policy.p_short:
        return None
    if p_short < policy.p_sudden and sudden >= max(policy.min_authors, policy.min_ratio * few):
        return round(sudden / few, 2)
    p_long, authors, mean = significance(channel, tick, WINDOWS["1h"])
    sure = p_long < policy.p_long and authors >= max(policy.min_authors, policy.min_ratio * mean)
    return round(authors / mean, 2) if sure else None


def _followed(
    tick: int, brand: str, burst: Burst, channel: ChannelState, policy: BrandPolicy
) -> Burst:
    _, authors, mean = significance(channel, tick, WINDOWS["1h"])
    quiet = significance(channel, tick, WINDOWS["15m"])[0] > P_QUIET
    channel.quiet = channel.quiet + 1 if quiet else 0
    over = channel.quiet >= policy.clear_ticks
    end = time(ended(tick, brand, burst.started_at, channel, policy)) if over else None
    peak = max(burst.peak, round(authors / mean, 2))
    return msgspec.structs.replace(burst, peak=peak, ended_at=end)


def _resumes(episode: Burst | Incident, tick: int, policy: BrandPolicy) -> bool:
    ended_at = episode.ended_at.timestamp() if episode.ended_at else tick
    return tick - ended_at <= policy.merge_hours * HOUR


def _kind(
    tick: int, channel: ChannelState, policy: BrandPolicy
) -> Literal["page", "ticket"] | None:
    """`page` where a burst is real and matters, `ticket` where a leak does."""
    if _open(channel.burst) and _matters(tick, channel, policy):
        return "page"
    lasting = history(channel, tick) >= policy.ticket_history_days * DAY
    leaks = lasting and channel.leak >= policy.leak_level
    return "ticket" if leaks and burn(channel, tick, WINDOWS["3d"]) >= policy.ticket else None


def _matters(tick: int, channel: ChannelState, policy: BrandPolicy) -> bool:
    pairs = (("1h", "15m", policy.page_fast), ("6h", "30m", policy.page_slow))
    return any(
        burn(channel, tick, WINDOWS[short]) >= least and burn(channel, tick, WINDOWS[long]) >= least
        for long, short, least in pairs
    )


def _start(
    tick: int,
    brand: str,
    name: Channel,
    kind: Literal["page", "ticket"],
    channel: ChannelState,
    policy: BrandPolicy,
) -> None:
    channel.calm = 0
    old, burst = channel.incident, channel.burst
    peak = round(burn(channel, tick, HOUR), 2)
    if old is not None and old.kind == kind and _resumes(old, tick, policy):
        channel.incident = msgspec.structs.replace(old, ended_at=None)
    else:
        start = burst.started_at if kind == "page" and burst else time(tick - WINDOWS["3d"])
        channel.incident = Incident(
            incident_id=f"{time(tick):%Y%m%dT%H%M}-{name}",
            kind=kind,
            started_at=start,
            peak_burn=peak,
            channel=name,
            found_at=time(tick),
        )
    _spoil(channel)


def _follow(tick: int, brand: str, channel: ChannelState, policy: BrandPolicy) -> None:
    incident = channel.incident
    assert incident is not None
    peak = max(incident.peak_burn, round(burn(channel, tick, HOUR), 2))
    if incident.kind == "ticket" and _kind(tick, channel, policy) == "page":
        incident = msgspec.structs.replace(incident, kind="page")
    channel.calm = channel.calm + 1 if _is_calm(tick, incident, channel, policy) else 0
    end = None
    if channel.calm >= policy.clear_ticks:
        end = time(tick)
        if incident.kind == "page":
            end = time(ended(tick, brand, incident.started_at, channel, policy))
        else:
            channel.leak = 0.0
    channel.incident = msgspec.structs.replace(incident, peak_burn=peak, ended_at=end)
    _spoil(channel)


def _is_calm(tick: int, incident: Incident, channel: ChannelState, policy: BrandPolicy) -> bool:
    if incident.kind == "ticket":
        # Ordinary days burn at 1: it is the excess that has to halve.
        limit = 1 + (policy.ticket - 1) * policy.clear_share
        return burn(channel, tick, WINDOWS["3d"]) < limit
    pairs = (("15m", policy.page_fast), ("30m", policy.page_slow))
    return all(burn(channel, tick, WINDOWS[w]) < least * policy.clear_share for w, least in pairs)


def _spoil(channel: ChannelState) -> None:
    for start, hour in channel.hours.items():
        if not hour.spoiled and spoils(channel.incident, start):
            hour.spoiled = True
