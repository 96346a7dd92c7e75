"""When a burst began and ended, by Kleinberg's automaton over five-minute counts of a day."""

from __future__ import annotations

from datetime import datetime

from listener.brand.baseline import Profile, slot_of
from listener.brand.kleinberg import busy
from listener.brand.policy import BrandPolicy
from listener.brand.state import DAY, HOUR, TICK, ChannelState

BACK = 6 * HOUR
"""How far before it was found a burst may have begun."""


def began(tick: int, brand: str, channel: ChannelState, policy: BrandPolicy) -> int:
    """Seconds of the epoch; an hour before `tick` where the automaton sees none."""
    states = _states(tick - BACK, tick, brand, channel, policy)
    start = len(states)
    while start and states[start - 1]:
        start -= 1
    return tick - HOUR if start == len(states) else tick - (len(states) - start) * TICK


def ended(
    tick: int, brand: str, started_at: datetime, channel: ChannelState, policy: BrandPolicy
) -> int:
    """Seconds of the epoch; when it grew calm where the automaton sees no burst at all."""
    since = max(int(started_at.timestamp()), tick - DAY)
    states = _states(since // TICK * TICK - HOUR, tick, brand, channel, policy)
    last = max((n for n, is_busy in enumerate(states) if is_busy), default=None)
    calm = tick - policy.clear_ticks * TICK
    return max(calm if last is None else tick - (len(states) - 1 - last) * TICK, since)


def _states(
    start: int, end: int, brand: str, channel: ChannelState, policy: BrandPolicy
) -> list[bool]:
    profile, zone = Profile(channel.hours.values(), policy), policy.zone(brand)
    means = {hour: profile.at(slot_of(hour, zone)) * TICK / HOUR
             for hour in range(start // HOUR * HOUR, end, HOUR)}  # fmt: skip
    ticks = range(start // TICK * TICK, end, TICK)
    buckets = [channel.buckets.get(at) for at in ticks]
    return busy(
        [bucket.distinct if bucket else 0 for bucket in buckets],
        [means[at // HOUR * HOUR] for at in ticks],
        profile.dispersion,
        multiple=policy.burst_multiple,
        cost=policy.burst_cost,
    )
