"""The score of one message: 1 − Π(1 − w·x), with each input's share (definitions §3)."""

from __future__ import annotations

from math import exp, log, log1p
from typing import Final

import msgspec

from listener.escalation.policy import EscalationPolicy, HardRule
from listener.records import Labels, Linked, Priority, Reason

_CERTAIN: Final = 1e-9
_VALUE_TIERS: Final = ("T0", "T1", "T2")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the subject's state adds to a message."""

    unsolved: int = 0
    """Open or unsolved threads of the subject, this one not counted."""
    waiting_minutes: float = 0.0
    """How long the thread waits for an answer."""
    relapsed: bool = False


class Score(msgspec.Struct, frozen=True, kw_only=True):
    value: float
    priority: Priority | None
    reasons: tuple[Reason, ...]


def score(linked: Linked, facts: Facts, policy: EscalationPolicy) -> Score:
    """The score of a message, its priority (None: no alert) and the reasons, largest first.

    Contributions of inputs sum to the score; a hard rule contributes 1 and makes it 1.
    """
    labels = linked.judgement.labels
    if labels is None:
        return Score(value=0.0, priority=None, reasons=())
    hard = _hard(linked, labels, policy)
    if hard:
        return Score(value=1.0, priority="P1", reasons=hard)
    inputs = _inputs(linked, labels, facts, policy)
    value, reasons = _noisy_or(inputs, policy)
    priority = _priority(value, policy) if may_alert(linked, policy) else None
    return Score(value=value, priority=priority, reasons=reasons)


def _hard(linked: Linked, labels: Labels, policy: EscalationPolicy) -> tuple[Reason, ...]:
    """Hard rules need a message to the company: a crime report is not ours to answer."""
    if not ours(linked, labels, policy):
        return ()
    found = []
    for flag, rule in policy.hard_rules.items():
        because = _because(
            flag, labels, rule if isinstance(rule, HardRule) else HardRule(flag=rule)
        )
        if because and flag not in linked.judgement.unsure:
            found.append(Reason(code=flag, contribution=1.0, because=because))
    return tuple(found)


def _because(flag: str, labels: Labels, rule: HardRule) -> str:
    """What a hard rule fires on; empty where it does not."""
    if labels.flags.get(flag, 0.0) < rule.flag or labels.sentiment["pos"] >= rule.positive:
        return ""
    grounds = {
        "complaint": (labels.complaint, rule.complaint),
        "request": (labels.flags.get("request", 0.0), rule.request),
        "negative": (labels.sentiment["neg"], rule.negative),
    }
    met = (f"{name} {p:.2f}" for name, (p, least) in grounds.items() if p >= least)
    ground = next(met, None)
    return f"{flag} {labels.flags[flag]:.2f}, {ground}" if ground else ""


def ours(linked: Linked, labels: Labels, policy: EscalationPolicy) -> bool:
    mention = linked.mention
    return (
        any(b not in policy.rivals for b in mention.brands) or mention.channel != "public"
    ) and labels.top_issue != "none"


def may_alert(linked: Linked, policy: EscalationPolicy) -> bool:
    """A label that is unsure never raises an alert alone: complaint or churn must be sure."""
    labels, unsure = linked.judgement.labels, linked.judgement.unsure
    if labels is None:
        return False
    complains = labels.complaint >= policy.complaint_floor and "complaint" not in unsure
    leaves = labels.flags.get("churn", 0.0) >= policy.complaint_floor and "churn" not in unsure
    return (complains or leaves) and ours(linked, labels, policy)


def _inputs(
    linked: Linked, labels: Labels, facts: Facts, policy: EscalationPolicy
) -> dict[str, float]:
    mention, unsure = linked.mention, linked.judgement.unsure
    doubt = 0.5 if "severity" in unsure else 1.0
    standing = linked.standing if linked.link.tier in _VALUE_TIERS else None
    repeat = labels.flags.get("repeat", 0.0) * 0.5 * ("repeat" not in unsure)
    return {
        "severity": doubt * labels.expected_severity / 4,
        "churn": labels.flags.get("churn", 0.0) * (0.5 if "churn" in unsure else 1.0),
        "repeat": max(1 - 2.0**-facts.unsolved, repeat),
        "sla": min(facts.waiting_minutes / policy.answer_minutes, 1.0),
        "value": standing.value_percentile * linked.link.probability if standing else 0.0,
        "reach": reach(mention.author.followers or 0, mention.engagement, cap=policy.reach_cap),
        "relapse": 1.0 if facts.relapsed else 0.0,
    }


def reach(followers: int, engagement: int, *, cap: int) -> float:
    """Log-scaled audience in [0, 1], 1 at `cap`."""
    audience = max(followers, 0) + max(engagement, 0)
    return min(log1p(audience) / log1p(cap), 1.0)


def _noisy_or(
    inputs: dict[str, float], policy: EscalationPolicy
) -> tuple[float, tuple[Reason, ...]]:
    """Shares are by log-survival, so that they sum to the score whatever their order."""
    losses = {
        code: -log(max(1 - min(policy.weights.get(code, 0.0) * x, 1.0), _CERTAIN))
        for code, x in inputs.items()
    }
    total = sum(losses.values())
    if total <= 0:
        return 0.0, ()
    survived = 1.0
    for code, x in inputs.items():
        survived *= 1 - min(policy.weights.get(code, 0.0) * x, 1.0)
    value = 1 - survived
    found = [
        Reason(code=code, contribution=round(value * loss / total, 4))
        for code, loss in losses.items()
        if loss > 0
    ]
    found.sort(key=lambda reason: (-reason.contribution, reason.code))
    return round(value, 4), tuple(found)


def overdue(found: Score, share: float, policy: EscalationPolicy) -> Score:
    """A score whose message has waited for `share` of the SLA's target since, 1 at breach."""
    if found.value <= 0:
        found = Score(value=_CERTAIN, priority=None, reasons=())
    lost = -log(max(1 - found.value, _CERTAIN))
    waits = -log(max(1 - policy.weights.get("sla", 0.0) * min(share, 1.0), _CERTAIN))
    losses = {r.code: lost * r.contribution / found.value for r in found.reasons if r.code != "sla"}
    losses["sla"] = waits
    total = sum(losses.values()) or _CERTAIN
    value = 1 - exp(-total)
    reasons = [
        Reason(code=code, contribution=round(value * loss / total, 4))
        for code, loss in losses.items()
        if loss > 0
    ]
    reasons.sort(key=lambda reason: (-reason.contribution, reason.code))
    return Score(value=round(value, 4), priority=_priority(value, policy), reasons=tuple(reasons))


def _priority(value: float, policy: EscalationPolicy) -> Priority | None:
    if value >= policy.p2:
        return "P2"
    return "P3" if value >= policy.p3 else None
