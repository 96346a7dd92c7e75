"""Where a subject stands in the life cycle, with hysteresis: one post never flips it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from listener.fit.policy import FitPolicy
from listener.records import Labels, Link, Linked, Stage, Standing, SubjectStage

ONBOARDING: Final = timedelta(days=30)
PURCHASE: Final = 0.5
APART: Final = timedelta(days=1)
"""Two signs of the same are two only on different days: nobody is judged by one bad evening."""
SIGNS: Final = 10


class Sign(msgspec.Struct, array_like=True, frozen=True):
    at: datetime
    mention_id: str


class Life(msgspec.Struct):
    """Signs of one subject by kind (`churn`, `advocacy`, `purchase`); the last stage that was told.
    Bounded: ten signs a kind."""

    signs: dict[str, list[Sign]] = {}
    told: SubjectStage | None = None


def stage_of(
    labels: Labels | None, link: Link, standing: Standing | None, *, now: datetime
) -> Stage:
    """Stages that one message cannot flip: the later ones need a subject's history."""
    if standing is not None and link.customer_id is not None:
        return "adopting" if now - standing.since < ONBOARDING else "retained"
    wants = labels is not None and labels.flags.get("purchase", 0.0) >= PURCHASE
    return "prospect" if wants else "suspect"


def live(
    linked: Linked, state: Life, policy: FitPolicy, *, unresolved: int, stuck: bool, now: datetime
) -> SubjectStage | None:
    """Takes a message in; the subject's stage where it has changed, else None. That a stranger is
    a suspect is no news.

    `unresolved`: threads of the subject that nobody has solved.
    """
    if linked.mention.from_brand or linked.judgement.labels is None:
        return None
    _note(linked, linked.judgement.labels, state, policy, now=now)
    stage, reasons, kinds = _decide(linked, state, policy, unresolved=unresolved, now=now)
    before = state.told
    if before is not None and (before.stage, before.stuck) == (stage, stuck):
        return None
    if before is None and stage == "suspect":
        return None
    same = before is not None and before.stage == stage
    state.told = SubjectStage(
        subject=linked.subject,
        customer_id=linked.link.customer_id,
        stage=stage,
        since=before.since if same and before else now,
        reasons=reasons,
        evidence=tuple(s.mention_id for kind in kinds for s in state.signs.get(kind, ()))[-SIGNS:],
        stuck=stuck,
    )
    return state.told


def _note(linked: Linked, labels: Labels, state: Life, policy: FitPolicy, *, now: datetime) -> None:
    limit = now - timedelta(days=policy.advocacy_days)
    for kind in ("churn", "advocacy", "purchase"):
        signs = [sign for sign in state.signs.get(kind, ()) if sign.at >= limit]
        shown = labels.flags.get(kind, 0.0) >= policy.intent
        apart = not signs or now - signs[-1].at >= APART
        if shown and apart and kind not in linked.judgement.unsure:
            signs.append(Sign(now, linked.mention.mention_id))
        if signs:
            state.signs[kind] = signs[-SIGNS:]
        else:
            state.signs.pop(kind, None)


def _decide(
    linked: Linked, state: Life, policy: FitPolicy, *, unresolved: int, now: datetime
) -> tuple[Stage, tuple[str, ...], tuple[str, ...]]:
    """(stage, reasons, kinds of signs that speak for it)."""
    standing = linked.standing
    plain = stage_of(linked.judgement.labels, linked.link, standing, now=now)
    if standing is None or linked.link.customer_id is None:
        wants = bool(state.signs.get("purchase"))
        return ("prospect", ("purchase",), ("purchase",)) if wants else (plain, (), ())
    calm = now - timedelta(days=policy.calm_days)
    churn = [sign for sign in state.signs.get("churn", ()) if sign.at >= calm]
    was = state.told is not None and state.told.stage == "at_risk"
    # Two signs bring it about, one within the fortnight is enough to keep it.
    if len(churn) >= 2 or unresolved >= 2 or (was and (churn or unresolved)):
        reasons = ("churn",) * bool(churn) + ("unresolved",) * bool(unresolved)
        return "at_risk", reasons, ("churn",)
    if len(state.signs.get("advocacy", ())) >= 2 and not unresolved:
        return "advocate", ("advocacy",), ("advocacy",)
    return plain, (f"tenure {(now - standing.since).days} d",), ()
