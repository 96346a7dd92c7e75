"""Where a subject stands in the life cycle, from what one message and the directory tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from listener.records import Labels, Link, Stage, Standing

ONBOARDING: Final = timedelta(days=30)
PURCHASE: Final = 0.5


def stage_of(
    labels: Labels | None, link: Link, standing: Standing | None, *, now: datetime
) -> Stage:
    """Stages that one message cannot flip: the later ones need a subject's history."""
    if standing is not None and link.customer_id is not None:
        return "adopting" if now - standing.since < ONBOARDING else "retained"
    wants = labels is not None and labels.flags.get("purchase", 0.0) >= PURCHASE
    return "prospect" if wants else "suspect"
