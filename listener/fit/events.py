"""Which messages are events: one for each customer, issue and 72 hours."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from listener.fit.policy import DIMENSIONS, FitPolicy
from listener.records import FitEvidence, Labels, Linked, Standing

DAY_SECONDS = 86_400.0


class CustomerState(msgspec.Struct):
    """When each dimension and issue of one customer last was an event."""

    events: dict[str, datetime] = {}


def evidence_of(linked: Linked, state: CustomerState, policy: FitPolicy) -> list[FitEvidence]:
    """The events of a message. Only linked customers have any; the state learns of them."""
    labels, standing = linked.judgement.labels, linked.standing
    if labels is None or standing is None or linked.mention.from_brand:
        return []
    now = linked.mention.event_time
    _forget(state, policy, now=now)
    found = []
    for dimension, flags in DIMENSIONS.items():
        quality = _quality(labels, flags)
        key = f"{dimension}:{labels.top_issue}"
        if quality >= policy.min_quality and key not in state.events:
            state.events[key] = now
            found.append(_evidence(linked, labels, standing, dimension, quality))
    return found


def _quality(labels: Labels, flags: tuple[str, ...]) -> float:
    return max(labels.flags.get(flag, 0.0) for flag in flags)


def _forget(state: CustomerState, policy: FitPolicy, *, now: datetime) -> None:
    limit = now - timedelta(hours=policy.repeat_hours)
    for key in [key for key, at in state.events.items() if at < limit]:
        del state.events[key]


def _evidence(
    linked: Linked, labels: Labels, standing: Standing, dimension: str, quality: float
) -> FitEvidence:
    mention = linked.mention
    return FitEvidence(
        mention_id=mention.mention_id,
        customer_id=linked.link.customer_id or "",
        segment=standing.segment,
        dimension=dimension,
        issue=labels.top_issue,
        event_time=mention.event_time,
        tenure_days=max((mention.event_time - standing.since).total_seconds() / DAY_SECONDS, 0.0),
        quality=quality,
        link=linked.link.probability,
    )
