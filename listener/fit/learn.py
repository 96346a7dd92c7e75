"""All that one message says of its customer's fit."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from listener.fit.events import CustomerState, asked_again, evidence_of
from listener.fit.lessons import ask
from listener.fit.offers import offer
from listener.fit.policy import FitPolicy
from listener.fit.stages import live
from listener.records import FitEvidence, HelpOffer, Linked, SubjectStage


class Heard(NamedTuple):
    """`stage` where it changed; `offer` where help may be offered; `asks` where our answers are to
    find the customer."""

    events: list[FitEvidence]
    stage: SubjectStage | None
    offer: HelpOffer | None
    asks: bool = False


def learn(
    linked: Linked,
    state: CustomerState,
    policy: FitPolicy,
    *,
    unresolved: int,
    breached: bool,
    now: datetime,
) -> Heard:
    """`unresolved`: the subject's threads that nobody has solved. `breached`: this one broke its
    SLA."""
    labels, standing = linked.judgement.labels, linked.standing
    again = labels is not None and asked_again(labels, state, policy, now=now)
    new = standing is not None and (now - standing.since).days < policy.onboarding_days
    asks = ask(linked, state, policy, breached=breached)
    events = evidence_of(linked, state, policy, breached=breached)
    stage = live(linked, state.life, policy, unresolved=unresolved, stuck=again and new, now=now)
    return Heard(
        events, stage, offer(linked, state.offers, policy, asked_again=again, now=now), asks
    )
