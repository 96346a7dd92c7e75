"""What of escalation the business decides."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from listener.escalation.hours import Hours
from listener.escalation.routes import ON_CALL, Match, Route, Schedule
from listener.records import Channel, Priority


class Silence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Alerts that fit are suppressed until its end."""

    match: Match
    until: datetime
    starts: datetime | None = None
    reason: str
    author: str


class Timing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Waits of a notice, as Prometheus Alertmanager names them. Seconds."""

    group_wait: float = 30.0
    group_interval: float = 300.0
    repeat_interval: float = 4 * 3600.0
    repeats: int = 18
    """Times that an alert is said again at most in one cycle: three days, then it only waits."""


class Andon(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stop the line: one issue that hits many customers."""

    customers: int = 5
    """Distinct customers from which it is raised."""
    window_minutes: float = 60.0
    priority: Priority = "P2"


class Opportunity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody wants to buy, or needs what might be sold."""

    floor: float = 0.7
    """Probability from which a flag counts."""
    priority: Priority = "P3"


class HardRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes a flag alone a P1: the author must have a trouble with it or ask for help, and not
    be glad. A joke about a lawsuit and praise for a rescue carry the flag, too."""

    flag: float = 0.6
    """Least probability of the flag."""
    complaint: float = 0.2
    """Least P(complaint); 0 asks for none."""
    request: float = 0.5
    """P(request) that does instead: "somebody is in my account, what do I do" is no complaint."""
    negative: float = 0.5
    """P(negative) that does instead."""
    positive: float = 0.5
    """P(positive) from which it is no trouble; above 1 it never is."""

    def __post_init__(self) -> None:
        if not 0 < self.flag <= 1:
            raise ValueError(f"flag={self.flag}: give a probability above 0")


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
    hard_rules: dict[str, HardRule | float] = msgspec.field(
        default_factory=lambda: {name: HardRule() for name in ("safety", "legal", "privacy")}
    )
    """Flag → what makes it alone a P1; a number is its `flag`."""
    p2: float = 0.75
    p3: float = 0.50
    complaint_floor: float = 0.5
    """P(complaint) under which only a hard rule or churn can raise an alert."""
    sla_minutes: dict[Priority, float] = msgspec.field(
        default_factory=lambda: {"P1": 15.0, "P2": 60.0, "P3": 240.0}
    )
    answer_minutes: float = 24 * 60.0
    """SLA target of a complaint that nobody of the brand has answered, in business time."""
    answered_channels: tuple[Channel, ...] = ("support",)
    """Channels in which we see the brand's answers: there a complaint that waits too long becomes
    an alert by itself. Where answers are not seen, every complaint would."""
    thread_days: float = 30.0
    relapse_days: float = 7.0
    rivals: tuple[str, ...] = ()
    """Brands that are watched but not ours: what is said of them alone wakes nobody."""
    reach_cap: int = 100_000
    """The source's 99th percentile of followers and reposts."""
    timing: Timing = Timing()
    hours: Hours | None = None
    """Business hours of the SLA clock; none: it never rests."""
    routes: tuple[Route, ...] = ()
    """None: every alert goes to every sink."""
    schedules: dict[str, Schedule] = {}
    silences: tuple[Silence, ...] = ()
    inhibit: bool = True
    """Whether an open incident of a brand suppresses P3 of the issues that it is about."""
    andon: Andon = Andon()
    opportunity: Opportunity = Opportunity()
    closing_floor: float = 0.5
    """P(success), or P(positive) beside a word of thanks, that closes a thread."""
    thanks: tuple[str, ...] = ("thank", "thx", "cheers", "appreciate", "grateful")
    """How a word of thanks begins."""

    def __post_init__(self) -> None:
        for route in self.routes:
            for target in (t for step in route.steps for t in step.tell):
                name = target.removeprefix(ON_CALL)
                if target.startswith(ON_CALL) and name not in self.schedules:
                    raise ValueError(f"route {route.name} tells {target}: no such schedule")

    def receivers(self) -> set[str]:
        """Every receiver that a route may tell."""
        told = {t for route in self.routes for step in route.steps for t in step.tell}
        duty = {name for s in self.schedules.values() for name in s.rotation}
        duty |= {o.tell for s in self.schedules.values() for o in s.overrides}
        return {t for t in told if not t.startswith(ON_CALL)} | duty


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule is given beside the record and the state."""

    policy: EscalationPolicy
    now: datetime
    """Stream time: the wall clock's, or a replay's own."""
    incidents: frozenset[tuple[str, str]] = frozenset()
    """(brand, issue) of the incidents that are open."""

    def at(self, now: datetime) -> Given:
        return msgspec.structs.replace(self, now=now)

    def later(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)
