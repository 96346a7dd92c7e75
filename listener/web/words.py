"""How codes, times and numbers are said. Pure; the time is an argument."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup, escape

REASONS: Final = {
    "severity": "Severity",
    "churn": "Wants to leave",
    "repeat": "Again, unsolved",
    "sla": "Waiting too long",
    "value": "Valued customer",
    "reach": "Large audience",
    "relapse": "Back after a fix",
    "safety": "Danger to people",
    "legal": "Legal threat",
    "privacy": "Privacy breach",
}
ISSUES: Final = {
    "billing": "Billing",
    "delivery": "Delivery",
    "product": "Product",
    "outage": "Outage",
    "account": "Account",
    "cancel": "Cancelling",
    "staff": "Staff",
    "policy": "Policy",
    "feature": "Feature",
    "other": "Other",
    "none": "No issue",
    "unjudged": "Not judged",
}
STATES: Final = {
    "pending": "Gathering",
    "open": "Open",
    "acknowledged": "Acknowledged",
    "resolved": "Resolved",
    "suppressed": "Silenced",
    "expired": "Expired",
    "reopened": "Reopened",
}
TIERS: Final = {
    "T0": "same id",
    "T1": "proven",
    "T2": "handle they gave",
    "T3": "probable",
    "none": "not linked",
}
SENTIMENTS: Final = {"neg": "Negative", "neu": "Neutral", "pos": "Positive", "unjudged": "–"}
DIMENSIONS: Final = {
    "learning_difficulty": "Learning difficulty",
    "education_effort": "Education effort",
    "effort": "Education effort",
    "unwillingness": "Unwillingness",
    "mismatch": "Expectation mismatch",
    "success": "Success and advocacy",
}
EXPECTED: Final = {
    "price": "price",
    "quality": "quality",
    "capability": "what it can do",
    "reliability": "reliability",
    "delivery": "delivery",
    "service": "service",
}
STAGES: Final = {
    "suspect": "Suspect",
    "prospect": "Prospect",
    "adopting": "Adopting",
    "retained": "Retained",
    "advocate": "Advocate",
    "at_risk": "At risk",
    "lost": "Lost",
}
NUDGES: Final = {
    "education": "Explain it",
    "onboarding_call": "Onboarding call",
    "stuck": "Stuck",
    "quiet": "Gone quiet",
}
DEEDS: Final = {
    "acknowledge": "Acknowledged",
    "resolve": "Resolved",
    "wrong": "Marked wrong",
    "assign": "Assigned",
    "silence": "Silenced",
    "link": "Linked",
    "unlink": "Unlinked",
    "replay": "Replayed",
    "export": "Exported",
    "login": "Signed in",
}


def say(names: dict[str, str], code: object) -> str:
    """A code's name; one that is new is shown as it is."""
    text = str(code or "")
    return names.get(text) or text.replace("_", " ").capitalize()


def read_time(at: object) -> datetime | None:
    """ISO text, seconds since 1970, or a time."""
    if isinstance(at, datetime):
        return at
    if isinstance(at, int | float):
        return datetime.fromtimestamp(at, UTC)
    if isinstance(at, str) and at:
        try:
            found = datetime.fromisoformat(at)
        except ValueError:
            return None
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def when(at: object, now: datetime) -> Markup:
    """How long ago, or until; the time itself on hover."""
    found = read_time(at)
    if found is None:
        return Markup("–")
    exact = f"{found.astimezone(UTC):%a %d %b %Y, %H:%M} UTC"
    iso = escape(found.astimezone(UTC).isoformat())
    said = relative((found - now).total_seconds())
    return Markup(f'<time datetime="{iso}" title="{exact}">{said}</time>')


def relative(seconds: float) -> str:
    """`3 h ago`, `in 25 min`; `live.js` says it the same way."""
    size = abs(seconds)
    if size < 45:
        return "just now" if seconds <= 0 else "in a moment"
    amount = span(size)
    return f"{amount} ago" if seconds < 0 else f"in {amount}"


def span(seconds: float) -> str:
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 0.99 * unit:
            return f"{round(seconds / unit)} {name}"
    return "1 min"


def percent(share: Any, digits: int = 0) -> str:
    return "–" if share is None else f"{100 * float(share):.{digits}f} %"


def number(value: Any) -> str:
    """With thin spaces between thousands, as tables want it."""
    if value is None:
        return "–"
    return f"{value:,.0f}".replace(",", "\u202f")


def times(value: Any) -> str:
    return "–" if value is None else f"{float(value):.1f}×"
