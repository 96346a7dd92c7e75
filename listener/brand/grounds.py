"""Whether an incident is ours: who speaks, of what, and whether support hears the same."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from listener.brand.figures import WINDOWS, between, shares_of, significance, time
from listener.brand.state import DAY, HOUR, TICK, BrandState, Bucket, Candidate, ChannelState
from listener.records import Channel, Grounds, Incident, Issue, IssueCount, Sample

ISSUES = 5
SHOWN = 5


def grounds(tick: int, brand: str, name: Channel, incident: Incident, state: BrandState) -> Grounds:
    """From the buckets of the last day at most, since the incident started."""
    channel = state.channels[name]
    start = max(int(incident.started_at.timestamp()), tick - DAY)
    buckets = list(between(channel, start, tick))
    mentions = max(sum(b.mentions for b in buckets), 1)
    shares = shares_of(buckets)
    issues = _issues(brand, channel, buckets, hours=(tick - start) / HOUR)
    p_long, authors, mean = significance(channel, tick, WINDOWS["1h"])
    return Grounds(
        authors=authors,
        usual_authors=round(mean, 2),
        p_long=p_long,
        p_short=significance(channel, tick, WINDOWS["15m"])[0],
        known=round(shares.get("known", 0.0) / mentions, 4),
        bot=round(shares.get("bot", 0.0) / mentions, 4),
        new_account=round(shares.get("new_account", 0.0) / mentions, 4),
        duplicate=round(shares.get("duplicate", 0.0) / mentions, 4),
        support_lift=_lift(state, name, issues, start, tick),
        issues=issues,
        samples=_samples(channel, start, tuple(i.issue for i in issues)),
        first_mention=next((b.first for b in buckets if b.first), None),
    )


def issue_id(brand: str, issue: Issue) -> str:
    """The same for as long as brand and issue keep their names; an alert's `group_key`."""
    return hashlib.sha256(f"{brand}\x1f{issue}".encode()).hexdigest()[:16]


def _issues(
    brand: str, channel: ChannelState, buckets: Sequence[Bucket], *, hours: float
) -> tuple[IssueCount, ...]:
    total: Counter[Issue] = Counter()
    for bucket in buckets:
        total.update(bucket.issues)
    ranked = sorted(total.items(), key=lambda item: (-item[1], item[0]))[:ISSUES]
    return tuple(
        IssueCount(
            issue_id=issue_id(brand, issue),
            issue=issue,
            count=count,
            usual=round(_usual(channel, issue, hours), 2),
        )
        for issue, count in ranked
    )


def _usual(channel: ChannelState, issue: Issue, hours: float) -> float:
    return channel.issues.get(issue, 0.0) / max(channel.issue_hours, 1.0) * hours


def _lift(
    state: BrandState, name: Channel, issues: tuple[IssueCount, ...], start: int, end: int
) -> float | None:
    """Support's count of the top issue against its usual; half a message each keeps it finite."""
    support = state.channels.get("support")
    if support is None or name == "support" or not issues:
        return None
    issue = issues[0].issue
    count = sum(b.issues.get(issue, 0) for b in between(support, start, end))
    return round((count + 0.5) / (_usual(support, issue, (end - start) / HOUR) + 0.5), 2)


def _samples(channel: ChannelState, start: int, issues: tuple[Issue, ...]) -> tuple[Sample, ...]:
    """The weightiest of each top issue in turn, each of another author."""
    waiting = [c for c in channel.candidates if c.at >= start // TICK * TICK]
    chosen: list[Candidate] = []
    while waiting and len(chosen) < SHOWN:
        before = len(chosen)
        for issue in issues:
            found = next((c for c in waiting if c.issue == issue), None)
            if found is not None and len(chosen) < SHOWN:
                chosen.append(found)
                waiting = [c for c in waiting if c.author != found.author]
        if len(chosen) == before:
            break
    return tuple(
        Sample(mention_id=c.mention_id, at=time(c.at), issue=c.issue, permalink=c.permalink)
        for c in chosen
    )
