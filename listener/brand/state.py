"""What is kept of one brand: five-minute buckets of a day, hours of a month, no text."""

from __future__ import annotations

from typing import Final

import msgspec

from listener.records import Burst, Channel, Incident, Issue

TICK: Final = 300
HOUR: Final = 3600
DAY: Final = 86_400
BUCKETS_KEPT: Final = DAY + HOUR
AUTHORS_KEPT: Final = 80 * 60
"""Seconds for which authors are remembered: the hour, and what may come late to it."""
HOURS_KEPT: Final = 28 * DAY
CLUSTERS: Final = 256
SAMPLES: Final = 24
PENDING: Final = 20_000
"""Mentions that may wait for a slow input partition; beyond that nobody waits."""


class Part(msgspec.Struct, array_like=True, frozen=True):
    """What of a `BrandEvidence` is kept until its five minutes are complete."""

    at: int
    mention_id: str
    channel: Channel
    author: str
    negative: float
    weight: float
    issue: Issue
    fingerprint: str | None
    reach: int
    known: float
    bot: bool
    new_account: bool
    repost: bool
    permalink: str | None
    rival: str | None


class Bucket(msgspec.Struct, array_like=True):
    """Five minutes of one channel. `authors` is emptied once no window needs it."""

    mentions: int = 0
    negative: float = 0.0
    weight: float = 0.0
    authors: dict[str, int] = {}
    """Author of something new and negative → posts."""
    issues: dict[Issue, int] = {}
    """New negative mentions by issue."""
    shares: dict[str, float] = {}
    first: str | None = None
    """Its first new negative mention."""
    distinct: int = 0
    """Authors, once their names are forgotten."""


class Hour(msgspec.Struct, array_like=True):
    """One hour of the baseline."""

    slot: int = 0
    """Hour of the week where the brand's customers live, Monday 0 h is 0."""
    mentions: int = 0
    weight: float = 0.0
    authors: int = 0
    spoiled: bool = False
    """In an incident: no baseline."""


class Usual(msgspec.Struct, array_like=True):
    """What is usual at this hour, worked out anew at each full one."""

    before: float = 0.0
    """Distinct negative authors in the hour before this one."""
    authors: float = 0.0
    """In this hour."""
    dispersion: float = 1.0
    budget: float = 1.0
    """Weighted volume an hour, the last day left aside once there are two."""
    long_budget: float = 1.0
    """The same, the last three days left aside once there are four."""
    mentions: float = 0.0
    """Mentions an hour."""


class Cluster(msgspec.Struct, array_like=True):
    """Near-duplicates: one complaint, and the reach of all."""

    weight: float
    reach: int
    members: int = 1


class Candidate(msgspec.Struct, array_like=True, frozen=True):
    """A mention that may stand for many."""

    weight: float
    at: int
    mention_id: str
    author: str
    issue: Issue
    permalink: str | None


class ChannelState(msgspec.Struct):
    """Bounded: 300 buckets, 25 hours of sums, 672 hours, 24 candidates."""

    first: int = 0
    """Event time of its first mention, seconds of the epoch."""
    buckets: dict[int, Bucket] = {}
    recent: dict[int, Bucket] = {}
    """The same sums by the hour, without authors: figures of a day are read from them."""
    hours: dict[int, Hour] = {}
    usual: Usual = msgspec.field(default_factory=Usual)
    issues: dict[Issue, float] = {}
    """Negative mentions by issue, halved every fortnight, incidents left out."""
    issue_hours: float = 0.0
    """The hours that they are of, halved like them."""
    leak: float = 0.0
    """CUSUM of hourly standard scores."""
    candidates: list[Candidate] = []
    burst: Burst | None = None
    incident: Incident | None = None
    quiet: int = 0
    """Ticks in a row in which an open burst was not significant."""
    calm: int = 0
    """The same of an open incident and its burn."""


class Path(msgspec.Struct, array_like=True):
    """One way by which mentions come: the partitions that they passed."""

    newest: int
    """Event time."""
    heard: float
    """When, by the broker's clock."""


class BrandState(msgspec.Struct):
    """Bounded: channels, at most 20,000 waiting parts, 256 clusters, paths heard lately."""

    watermark: int = 0
    """Newest event time seen."""
    ticked: int = 0
    """End of the last five minutes that were examined."""
    heard: int = 0
    """Event time of the newest mention that was examined."""
    paths: dict[str, Path] = {}
    pending: dict[int, dict[str, Part]] = {}
    """Start of five minutes → mention id → what came."""
    channels: dict[Channel, ChannelState] = {}
    clusters: dict[str, Cluster] = {}
    """Fingerprint → cluster, the least recently heard first."""
    voices: dict[int, dict[str, int]] = {}
    """Hour → brand → mentions, of this brand and its competitors."""
    seen: int = 0
    """Mentions taken in, ever: exact whatever is killed, in whatever order they come."""
    late: int = 0
