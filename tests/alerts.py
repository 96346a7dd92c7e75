"""One alert with all that a sink does not ask for filled in."""

from __future__ import annotations

from typing import Any

from listener.records import Alert, Reason
from tests.worlds import MODEL, NOW


def alert(identifier: str = "a1", **changes: Any) -> Alert:
    fields: dict[str, Any] = {
        "alert_id": identifier,
        "group_key": "g",
        "state": "open",
        "priority": "P2",
        "score": 0.8,
        "reasons": (
            Reason(code="severity", contribution=0.5),
            Reason(code="churn", contribution=0.3),
        ),
        "subject": "x:ann",
        "brand": "Acme",
        "issue": "billing",
        "opened_at": NOW,
        "evidence": ("x:1",),
        "snippet": "charged twice",
        "model": MODEL,
    }
    return Alert(**(fields | changes))
