"""Offers of help: the only thing that may be made of one customer's signals."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import msgspec

from listener.fit.policy import FitPolicy
from listener.records import HelpOffer, Labels, Linked


class Offers(msgspec.Struct):
    """When help was last offered."""

    last: datetime | None = None


def offer(
    linked: Linked, state: Offers, policy: FitPolicy, *, asked_again: bool, now: datetime
) -> HelpOffer | None:
    """Education for who asks the same again, an onboarding call for who is new and expected
    something else; at most one a fortnight."""
    labels, customer = linked.judgement.labels, linked.link.customer_id
    if labels is None or customer is None or linked.standing is None or linked.mention.from_brand:
        return None
    if state.last is not None and now - state.last < timedelta(days=policy.offer_days):
        return None
    tenure = (now - linked.standing.since).days
    new = tenure < policy.onboarding_days
    if asked_again:
        state.last = now
        reason = f"asked about {labels.top_issue} again within {policy.again_days:g} days"
        return _offer(linked, labels, customer, "education", reason, now=now)
    if new and labels.flags.get("mismatch", 0.0) >= policy.intent:
        state.last = now
        reason = f"expected something else, {tenure} days after joining"
        return _offer(linked, labels, customer, "onboarding_call", reason, now=now)
    return None


def _offer(
    linked: Linked, labels: Labels, customer: str, kind: str, reason: str, *, now: datetime
) -> HelpOffer:
    mention = linked.mention.mention_id
    name = hashlib.sha256(f"{customer}\x1f{kind}\x1f{mention}".encode()).hexdigest()[:16]
    return HelpOffer(
        offer_id=name,
        customer_id=customer,
        kind="education" if kind == "education" else "onboarding_call",
        reason=reason,
        issue=labels.top_issue,
        at=now,
        evidence=(mention,),
    )
