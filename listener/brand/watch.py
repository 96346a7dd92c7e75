"""Takes evidence in, and examines each five minutes of event time once they are complete."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

from listener.brand.figures import burn, history_seconds, significance
from listener.brand.policy import BrandPolicy
from listener.brand.state import (
    AUTHORS_KEPT,
    BUCKETS_KEPT,
    DAY,
    EVIDENCE,
    HOUR,
    HOURS_KEPT,
    RECENT_PRINTS,
    TICK,
    BrandState,
    Bucket,
    Hour,
)
from listener.records import BrandEvidence, Incident

NEAR: int = 3
"""Bits of 64 by which near-duplicates may differ."""


def observe(evidence: BrandEvidence, state: BrandState, policy: BrandPolicy) -> None:
    """Takes one part in. Backfill is left out: it says nothing of now."""
    if evidence.backfill:
        return
    state.seen += 1
    at = int(evidence.event_time.timestamp())
    if at <= state.watermark - BUCKETS_KEPT:
        state.late += 1
        return
    state.late += at < state.watermark - policy.grace_seconds
    state.first = min(state.first or at, at)
    state.watermark = max(state.watermark, at)
    _add(evidence, at, state)
    _advance(state, policy)


def _add(evidence: BrandEvidence, at: int, state: BrandState) -> None:
    repeated = _is_repeated(evidence, state)
    weight = 0.0 if repeated else evidence.weight
    bucket = state.buckets.setdefault(at // TICK * TICK, Bucket())
    bucket.mentions += 1
    bucket.negative = round(bucket.negative + evidence.negative, 5)
    bucket.weight = round(bucket.weight + weight, 5)
    if at > state.watermark - AUTHORS_KEPT:
        bucket.authors[evidence.author] = 1
    if weight:
        bucket.issues[evidence.issue] = round(bucket.issues.get(evidence.issue, 0) + weight, 5)
    for name, part in _shares(evidence, repeated=repeated):
        bucket.shares[name] = round(bucket.shares.get(name, 0) + part, 5)
    _add_hour(evidence, at, weight, state)
    _add_evidence(evidence, at, weight, state)


def _shares(evidence: BrandEvidence, *, repeated: bool) -> list[tuple[str, float]]:
    parts = [
        ("known", evidence.known),
        ("bot", float(evidence.bot)),
        ("new_account", float(evidence.new_account)),
        ("duplicate", float(repeated)),
        ("reach", 1.0 + evidence.reach),
        ("reach_negative", evidence.negative * (1.0 + evidence.reach)),
    ]
    return [(name, part) for name, part in parts if part]


def _add_hour(evidence: BrandEvidence, at: int, weight: float, state: BrandState) -> None:
    hour = state.hours.setdefault(at // HOUR * HOUR, Hour())
    hour.mentions += 1
    hour.weight = round(hour.weight + weight, 5)
    if evidence.author not in hour.names and at > state.watermark - AUTHORS_KEPT - HOUR:
        hour.names[evidence.author] = 1
        hour.authors += 1


def _add_evidence(evidence: BrandEvidence, at: int, weight: float, state: BrandState) -> None:
    if len(state.evidence) < EVIDENCE or weight > state.evidence[-1][0]:
        fresh = [item for item in state.evidence if item[1] > state.watermark - DAY]
        fresh.append((weight, at, evidence.mention_id))
        state.evidence = sorted(fresh, key=lambda item: (-item[0], item[2]))[:EVIDENCE]


def _is_repeated(evidence: BrandEvidence, state: BrandState) -> bool:
    """Whether it belongs to a cluster of near-duplicates that has counted already."""
    if evidence.fingerprint is None:
        return False
    if evidence.fingerprint in state.prints:
        return True
    mine = int(evidence.fingerprint, 16)
    near = any((mine ^ int(other, 16)).bit_count() <= NEAR for other in state.prints[-64:])
    if not near:
        state.prints = [*state.prints, evidence.fingerprint][-RECENT_PRINTS:]
    return near


def _advance(state: BrandState, policy: BrandPolicy) -> None:
    """Examines every five minutes that the grace has passed. A long silence is one step."""
    complete = (state.watermark - policy.grace_seconds) // TICK * TICK
    if complete <= state.ticked:
        return
    start = state.ticked + TICK if state.ticked else complete
    start = max(start, complete - DAY)
    for tick in range(start, complete + 1, TICK):
        _examine(tick, state, policy)
    state.ticked = complete
    _forget(state)


def _examine(tick: int, state: BrandState, policy: BrandPolicy) -> None:
    if state.incident is not None and state.incident.ended_at is None:
        _follow(tick, state.incident, state, policy)
        return
    kind = _kind(tick, state, policy)
    if kind is not None:
        began = _time(tick - HOUR if kind == "page" else tick)
        state.calm = 0
        state.incident = Incident(
            incident_id=f"{began:%Y%m%dT%H%M}", kind=kind, started_at=began, peak_burn=0.0
        )
        _follow(tick, state.incident, state, policy)


def _kind(tick: int, state: BrandState, policy: BrandPolicy) -> Literal["page", "ticket"] | None:
    """`page` where a burst is real and matters, `ticket` where a leak has lasted."""
    known = history_seconds(state, tick)
    if known < policy.min_history_hours * HOUR:
        return None
    fast = burn(state, tick, HOUR) >= policy.page_fast and (
        burn(state, tick, 15 * 60) >= policy.page_fast
    )
    slow = not fast and (
        burn(state, tick, 6 * HOUR) >= policy.page_slow
        and burn(state, tick, 30 * 60) >= policy.page_slow
    )
    if (fast or slow) and _is_real(tick, state, policy):
        return "page"
    long = known >= policy.ticket_history_days * DAY
    return "ticket" if long and burn(state, tick, 3 * DAY) >= policy.ticket else None


def _is_real(tick: int, state: BrandState, policy: BrandPolicy) -> bool:
    long_p, authors = significance(state, tick, HOUR)
    if authors < policy.min_authors or long_p >= policy.p_long:
        return False
    return significance(state, tick, 15 * 60)[0] < policy.p_short


def _follow(tick: int, incident: Incident, state: BrandState, policy: BrandPolicy) -> None:
    peak = max(incident.peak_burn, round(burn(state, tick, HOUR), 2))
    state.incident = msgspec.structs.replace(incident, peak_burn=peak)
    _mark(tick, state)
    short = burn(state, tick, 30 * 60)
    calm = short < policy.page_slow * policy.clear_share
    if incident.kind == "ticket":
        calm = burn(state, tick, 3 * DAY) < policy.ticket * policy.clear_share
    state.calm = state.calm + 1 if calm else 0
    if state.calm >= policy.clear_ticks:
        state.incident = msgspec.structs.replace(state.incident, ended_at=_time(tick))


def _mark(tick: int, state: BrandState) -> None:
    """Hours of an incident are no baseline."""
    hour = state.hours.get((tick - 1) // HOUR * HOUR)
    if hour is not None:
        hour.incident = True


def _forget(state: BrandState) -> None:
    for start in [s for s in state.buckets if s < state.ticked - BUCKETS_KEPT]:
        del state.buckets[start]
    for start in [s for s in state.hours if s < state.ticked - HOURS_KEPT]:
        del state.hours[start]
    for start, bucket in state.buckets.items():
        if bucket.authors and start < state.watermark - AUTHORS_KEPT - TICK:
            bucket.authors = {}
    for start, hour in state.hours.items():
        if hour.names and start < state.watermark - AUTHORS_KEPT - 2 * HOUR:
            hour.names = {}


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
