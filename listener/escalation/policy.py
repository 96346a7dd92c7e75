"""What of escalation the business decides."""

from __future__ import annotations

import msgspec

from listener.records import Priority


class EscalationPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights, thresholds and hard rules; the defaults are those of definitions §3."""

    weights: dict[str, float] = msgspec.field(
        default_factory=lambda: {
            "severity": 0.45,
            "churn": 0.40,
            "repeat": 0.45,
            "sla": 0.50,
            "value": 0.25,
            "reach": 0.25,
            "relapse": 0.30,
        }
    )
    hard_rules: dict[str, float] = msgspec.field(
        default_factory=lambda: {"safety": 0.6, "legal": 0.6, "privacy": 0.6}
    )
    """Flag → probability from which it alone is a P1."""
    p2: float = 0.75
    p3: float = 0.50
    complaint_floor: float = 0.5
    """P(complaint) under which only a hard rule or churn can raise an alert."""
    sla_minutes: dict[Priority, float] = msgspec.field(
        default_factory=lambda: {"P1": 15.0, "P2": 60.0, "P3": 240.0}
    )
    answer_minutes: float = 24 * 60.0
    """SLA target of a thread that nobody of the brand has answered."""
    thread_days: float = 30.0
    relapse_days: float = 7.0
    rivals: tuple[str, ...] = ()
    """Brands that are watched but not ours: what is said of them alone wakes nobody."""
    reach_cap: int = 100_000
    """The source's 99th percentile of followers and reposts."""
