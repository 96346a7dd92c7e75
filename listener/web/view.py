"""What the page shows, ready to print."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from listener.records import Alert, BrandRisk, FitSignal
from listener.store import Store

REASONS: Final = {
    "severity": "severity",
    "churn": "wants to leave",
    "repeat": "again, unsolved",
    "sla": "waiting too long",
    "value": "valued customer",
    "reach": "large audience",
    "relapse": "back after a fix",
    "safety": "safety",
    "legal": "legal threat",
    "privacy": "privacy breach",
}
DIMENSIONS: Final = {
    "learning_difficulty": "Learning difficulty",
    "unwillingness": "Unwillingness",
    "mismatch": "Expectation mismatch",
    "success": "Success and advocacy",
}
NOTABLE: Final = ("elevated", "better")


def page(store: Store) -> dict[str, Any]:
    """Everything that the templates need. Blocks for as long as the database does."""
    signals = sorted(store.signals(), key=_pressing)
    return {
        "alerts": [_alert(alert) for alert in store.open_alerts(limit=60)],
        "brands": [_brand(risk) for risk in store.brands()],
        "signals": [_signal(s) for s in signals if s.evidence][:24],
        "counts": store.counts(),
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "record": alert,
        "opened": _when(alert.opened_at),
        "due": _when(alert.due_at) if alert.due_at else None,
        "reasons": [
            {
                "name": REASONS.get(reason.code, reason.code),
                "share": round(100 * reason.contribution),
            }
            for reason in alert.reasons
            if reason.contribution >= 0.01
        ],
        "customer": alert.link.customer_id,
    }


def _brand(risk: BrandRisk) -> dict[str, Any]:
    incident = risk.incident
    return {
        "record": risk,
        "at": _when(risk.at),
        "level": "high" if risk.brand_risk >= 70 else "raised" if risk.brand_risk >= 40 else "calm",
        "negative": round(100 * risk.negative_share),
        "low": round(100 * risk.negative_interval.low),
        "high": round(100 * risk.negative_interval.high),
        "issues": [(name, round(100 * share)) for name, share in risk.top_issues.items()],
        "incident": incident,
        "started": _when(incident.started_at) if incident else None,
        "ended": _when(incident.ended_at) if incident and incident.ended_at else None,
    }


def _signal(signal: FitSignal) -> dict[str, Any]:
    return {
        "record": signal,
        "name": DIMENSIONS.get(signal.dimension, signal.dimension),
        "rate": f"{100 * signal.rate:.1f} %",
        "interval": f"{100 * signal.interval.low:.1f} – {100 * signal.interval.high:.1f} %",
        "usual": f"{100 * signal.pooled:.1f} %",
    }


def _pressing(signal: FitSignal) -> tuple[int, float]:
    return (0 if signal.status in NOTABLE else 1, -abs(signal.rate - signal.pooled))


def _when(at: datetime) -> str:
    return f"{at:%a %d %b %H:%M} UTC"
