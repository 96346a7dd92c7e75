"""Which messages are events: one for each customer, issue and 72 hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from listener.fit.offers import Offers
from listener.fit.policy import DIMENSIONS, REASONS, STAYS, FitPolicy, band_of
from listener.fit.stages import Life
from listener.records import FitEvidence, Issue, Labels, Linked, Standing

DAY_SECONDS = 86_400.0
HEARD: Final = "heard"


class Lesson(msgspec.Struct, array_like=True):
    """A question how, and what has been said on its thread."""

    question: FitEvidence
    mentions: list[str]


class CustomerState(msgspec.Struct):
    """When each dimension and issue of one customer last was an event. Bounded: an entry for each
    dimension, issue and band."""

    events: dict[str, datetime] = {}
    asked: dict[Issue, datetime] = {}
    """When each question was last asked."""
    heard: dict[str, datetime] = {}
    """Tenure band → when first heard there."""
    lessons: list[Lesson] = []
    """Of the last fortnight, ten at most."""
    life: Life = msgspec.field(default_factory=Life)
    offers: Offers = msgspec.field(default_factory=Offers)


def evidence_of(
    linked: Linked, state: CustomerState, policy: FitPolicy, *, breached: bool = False
) -> list[FitEvidence]:
    """The events of a message. Only linked customers have any; the state learns of them.

    `breached`: the thread broke its SLA. Then only `heard` is an event: it was our failure.
    """
    labels, standing = linked.judgement.labels, linked.standing
    if labels is None or standing is None or linked.mention.from_brand:
        return []
    found = _heard(linked, labels, standing, state)
    if breached:
        return found
    now, issue = linked.mention.event_time, labels.top_issue
    forget(state, policy, now=now)
    for dimension in DIMENSIONS:
        event = shown(linked, labels, standing, dimension, state)
        key = f"{dimension}:{issue}"
        if event.quality >= policy.min_quality and key not in state.events:
            state.events[key] = now
            found.append(event)
    if _quality(labels, DIMENSIONS["learning_difficulty"]) >= policy.min_quality:
        state.asked[issue] = now
    return found


def shown(
    linked: Linked, labels: Labels, standing: Standing, dimension: str, state: CustomerState
) -> FitEvidence:
    """What a message shows in a dimension, however faintly."""
    quality = _quality(labels, DIMENSIONS[dimension])
    if dimension == "learning_difficulty" and labels.top_issue in state.asked:
        quality = max(quality, labels.flags.get("repeat", 0.0))
    event = _evidence(linked, labels, standing, dimension, quality)
    if dimension != "mismatch" or "issue" in linked.judgement.unsure:
        return event
    return msgspec.structs.replace(event, reason=REASONS.get(event.issue))


def asked_again(labels: Labels, state: CustomerState, policy: FitPolicy, *, now: datetime) -> bool:
    """Whether it is a question that was asked within a fortnight, on another day. To be called
    before the message is taken in."""
    before = state.asked.get(labels.top_issue)
    asks = max(labels.flags.get("howto", 0.0), labels.flags.get("repeat", 0.0))
    if before is None or asks < policy.min_quality:
        return False
    return timedelta(days=1) <= now - before <= timedelta(days=policy.again_days)


def _quality(labels: Labels, flags: tuple[str, ...]) -> float:
    return max(labels.flags.get(flag, 0.0) for flag in flags)


def _heard(
    linked: Linked, labels: Labels, standing: Standing, state: CustomerState
) -> list[FitEvidence]:
    """Once in as long as a customer stays in the band."""
    now = linked.mention.event_time
    event = _evidence(linked, labels, standing, HEARD, 1.0)
    band = band_of(event.tenure_days)
    before = state.heard.get(band)
    if before is not None and now - before < timedelta(days=STAYS[band]):
        return []
    state.heard[band] = now
    return [event]


def forget(state: CustomerState, policy: FitPolicy, *, now: datetime) -> None:
    limit = now - timedelta(hours=policy.repeat_hours)
    for key in [key for key, at in state.events.items() if at < limit]:
        del state.events[key]
    again = now - timedelta(days=policy.again_days)
    for issue in [issue for issue, at in state.asked.items() if at < again]:
        del state.asked[issue]
    state.lessons = [lesson for lesson in state.lessons if lesson.question.event_time >= again]


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
        brand=mention.brands[0] if mention.brands else None,
    )
