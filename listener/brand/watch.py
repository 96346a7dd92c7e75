"""Takes evidence in, and examines each five minutes of event time once they are complete.

What comes waits until its five minutes are complete and is then taken in by (time, id): whatever
the order of arrival inside the grace, state and figures are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from listener.brand.baseline import slot_of, usual
from listener.brand.clock import complete, complete_at, hear, waits
from listener.brand.figures import history, risk
from listener.brand.incidents import close_all, examine, spoils
from listener.brand.novelty import addition
from listener.brand.policy import BrandPolicy
from listener.brand.state import (
    AUTHORS_KEPT,
    BUCKETS_KEPT,
    HOUR,
    HOURS_KEPT,
    SAMPLES,
    TICK,
    BrandState,
    Bucket,
    Candidate,
    ChannelState,
    Hour,
    Part,
)
from listener.records import BrandEvidence, BrandRisk

NEGATIVE = 0.5
"""P(neg) from which an author counts as a negative one."""
ISSUE_DECAY = 0.5 ** (1 / (14 * 24))
"""An hour's part of a half-life of a fortnight."""
ALIKE = 4
"""Candidates of one issue."""
STEEPEST = 3.0
"""Standard score of an hour that CUSUM counts at most: a burst is no leak."""


def observe(
    evidence: BrandEvidence,
    state: BrandState,
    policy: BrandPolicy,
    *,
    path: str = "",
    now: datetime | None = None,
) -> list[BrandRisk]:
    """Takes one part in; returns a figure for each five minutes that it completed and in which
    anything was heard or changed. Backfill is left out: it says nothing of now.

    `path` and `now`: by which partitions it came and when, by the broker's clock.
    """
    if evidence.backfill:
        return []
    state.seen += 1
    part = _part(evidence)
    if state.ticked and part.at < state.ticked:
        state.late += 1
        if part.at > state.ticked - BUCKETS_KEPT:
            _settle(part, evidence.brand, state, policy)
        return []
    name = part.mention_id if part.rival is None else f"{part.mention_id} {part.rival}"
    state.pending.setdefault(part.at // TICK * TICK, {}).setdefault(name, part)
    hear(state, path, part.at, (now or evidence.event_time).timestamp(), policy)
    return list(_advance(evidence.brand, state, policy, done=complete(state, policy)))


def lapse(brand: str, state: BrandState, policy: BrandPolicy, *, now: datetime) -> list[BrandRisk]:
    """Event time has come to `now` and nothing was heard: the figures that the next mention would
    have given, as long as anything waits to be examined or is open."""
    figures: list[BrandRisk] = []
    if not waits(state):
        return figures
    done = complete_at(int(now.timestamp()), state, policy)
    for figure in _advance(brand, state, policy, done=done):
        figures.append(figure)
        if not waits(state):
            break
    return figures


def _part(evidence: BrandEvidence) -> Part:
    return Part(
        int(evidence.event_time.timestamp()),
        evidence.mention_id,
        "support" if evidence.support else evidence.channel,
        evidence.author,
        evidence.negative,
        evidence.weight,
        evidence.issue,
        evidence.fingerprint,
        evidence.reach,
        evidence.known,
        evidence.bot,
        evidence.new_account,
        evidence.repost,
        evidence.permalink,
        evidence.rival,
    )


def _advance(
    brand: str, state: BrandState, policy: BrandPolicy, *, done: int
) -> Iterator[BrandRisk]:
    zone = policy.zone(brand)
    if done and not state.ticked:
        state.ticked = min(state.pending)
    while state.ticked < done:
        tick = state.ticked + TICK
        if tick > state.heard + BUCKETS_KEPT and state.heard:
            # Long silence: straight to what breaks it, and only once that is complete.
            broken = min(state.pending, default=state.ticked)
            if broken >= done:
                return
            if broken > state.ticked:
                _skip(broken, state, zone, policy)
                continue
        if _tick(tick, brand, state, zone, policy):
            yield risk(state, policy, brand=brand)


def _tick(tick: int, brand: str, state: BrandState, zone: ZoneInfo, policy: BrandPolicy) -> bool:
    """Examines the five minutes before `tick`; whether there is anything to tell."""
    ended = not state.pending and bool(state.heard) and tick > state.heard + BUCKETS_KEPT
    if ended:
        # Nothing will break this silence soon: what is open ends as it does where something does.
        close_all(state.ticked, state.channels.values())
    parts = state.pending.pop(tick - TICK, {})
    for _, part in sorted(parts.items(), key=lambda item: (item[1].at, item[0])):
        _settle(part, brand, state, policy)
    if parts:
        state.heard = tick - TICK
    state.ticked = tick
    changed = ended
    for name, channel in sorted(state.channels.items()):
        if tick % HOUR == 0:
            _close_hour(channel, tick - HOUR, zone, policy)
        changed = examine(tick, brand, name, state, policy) or changed
    if tick % HOUR == 0:
        _forget(state)
    return bool(parts) or changed or tick % HOUR == 0


def _settle(part: Part, brand: str, state: BrandState, policy: BrandPolicy) -> None:
    voice = state.voices.setdefault(part.at // HOUR * HOUR, {})
    about = part.rival or brand
    voice[about] = voice.get(about, 0) + 1
    if part.rival is not None:
        return
    channel = state.channels.get(part.channel) or _opened(part, brand, state, policy)
    channel.first = min(channel.first, part.at)
    weight, fresh = addition(part, state, channel, policy)
    bucket = channel.buckets.setdefault(part.at // TICK * TICK, Bucket())
    for sums in (bucket, channel.recent.setdefault(part.at // HOUR * HOUR, Bucket())):
        _add(part, sums, weight, fresh=fresh)
    if fresh and part.negative >= NEGATIVE:
        _complain(part, weight, bucket, channel, state)
    if hour := channel.hours.get(part.at // HOUR * HOUR):
        # Late: its hour is closed.
        hour.mentions += 1
        hour.weight = round(hour.weight + weight, 5)


def _add(part: Part, sums: Bucket, weight: float, *, fresh: bool) -> None:
    sums.mentions += 1
    sums.negative = round(sums.negative + part.negative, 5)
    sums.weight = round(sums.weight + weight, 5)
    for name, share in _shares(part, fresh=fresh):
        sums.shares[name] = round(sums.shares.get(name, 0) + share, 5)
    if fresh and part.negative >= NEGATIVE:
        sums.issues[part.issue] = sums.issues.get(part.issue, 0) + 1


def _opened(part: Part, brand: str, state: BrandState, policy: BrandPolicy) -> ChannelState:
    channel = ChannelState(first=part.at)
    channel.usual = usual(channel, part.at // HOUR * HOUR, policy.zone(brand), policy)
    state.channels[part.channel] = channel
    return channel


def _complain(
    part: Part, weight: float, bucket: Bucket, channel: ChannelState, state: BrandState
) -> None:
    bucket.first = bucket.first or part.mention_id
    if part.at > state.ticked - AUTHORS_KEPT:
        bucket.distinct += part.author not in bucket.authors
        bucket.authors[part.author] = bucket.authors.get(part.author, 0) + 1
    alike = [c for c in channel.candidates if c.issue == part.issue]
    if len(alike) >= ALIKE and weight <= alike[-1].weight:
        return
    candidate = Candidate(
        round(weight, 5), part.at, part.mention_id, part.author, part.issue, part.permalink
    )
    rest = [c for c in channel.candidates if c.issue != part.issue]
    alike = sorted([*alike, candidate], key=lambda c: (-c.weight, c.at, c.mention_id))[:ALIKE]
    channel.candidates = sorted([*rest, *alike], key=lambda c: (-c.weight, c.at, c.mention_id))
    del channel.candidates[SAMPLES:]


def _shares(part: Part, *, fresh: bool) -> list[tuple[str, float]]:
    parts = [
        ("known", part.known),
        ("bot", float(part.bot)),
        ("new_account", float(part.new_account)),
        ("duplicate", float(not fresh)),
        ("reach", 1.0 + part.reach),
        ("reach_negative", part.negative * (1.0 + part.reach)),
    ]
    return [(name, share) for name, share in parts if share]


def _close_hour(channel: ChannelState, start: int, zone: ZoneInfo, policy: BrandPolicy) -> None:
    """The hour that begins at `start` is over: it joins the baseline of what comes."""
    buckets = [channel.buckets[at] for at in range(start, start + HOUR, TICK)
               if at in channel.buckets]  # fmt: skip
    authors = len({name for bucket in buckets for name in bucket.authors})
    hour = Hour(
        slot_of(start, zone),
        sum(b.mentions for b in buckets),
        round(sum(b.weight for b in buckets), 5),
        authors,
        spoils(channel.incident, start),
    )
    channel.hours[start] = hour
    if not hour.spoiled:
        _count_issues(channel, buckets)
    if history(channel, start) >= policy.min_history_hours * HOUR:
        mean, r = channel.usual.authors, channel.usual.dispersion
        score = (authors - mean) / (mean + mean * mean / r) ** 0.5
        channel.leak = round(max(channel.leak + min(score, STEEPEST) - policy.leak_drift, 0.0), 4)
    channel.usual = usual(channel, start + HOUR, zone, policy)


def _count_issues(channel: ChannelState, buckets: list[Bucket]) -> None:
    channel.issue_hours = round(channel.issue_hours * ISSUE_DECAY + 1, 5)
    for issue in channel.issues:
        channel.issues[issue] = round(channel.issues[issue] * ISSUE_DECAY, 5)
    for bucket in buckets:
        for issue, count in bucket.issues.items():
            channel.issues[issue] = round(channel.issues.get(issue, 0.0) + count, 5)


def _skip(to: int, state: BrandState, zone: ZoneInfo, policy: BrandPolicy) -> None:
    """Over a silence of more than a day: nothing was heard, and whatever was open is over."""
    close_all(state.ticked, state.channels.values())
    for channel in state.channels.values():
        channel.leak = 0.0
        first = max(max(channel.hours, default=to - HOURS_KEPT) + HOUR, to - HOURS_KEPT)
        for start in range(first // HOUR * HOUR, to // HOUR * HOUR, HOUR):
            channel.hours[start] = Hour(slot_of(start, zone))
        channel.usual = usual(channel, to // HOUR * HOUR, zone, policy)
    state.ticked = to
    _forget(state)


def _forget(state: BrandState) -> None:
    """At every full hour: what no window needs any more."""
    for channel in state.channels.values():
        for sums in (channel.buckets, channel.recent):
            for at in [s for s in sums if s < state.ticked - BUCKETS_KEPT]:
                del sums[at]
        for at in [s for s in channel.hours if s < state.ticked - HOURS_KEPT]:
            del channel.hours[at]
        for at, bucket in channel.buckets.items():
            if bucket.authors and at < state.ticked - AUTHORS_KEPT:
                bucket.authors = {}
        channel.candidates = [c for c in channel.candidates if c.at >= state.ticked - BUCKETS_KEPT]
    for at in [s for s in state.voices if s < state.ticked - BUCKETS_KEPT]:
        del state.voices[at]
