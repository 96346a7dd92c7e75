"""What of fit the business decides, and the tenure bands."""

from __future__ import annotations

from typing import Final

import msgspec

BANDS: Final = ((8.0, "0-7"), (31.0, "8-30"), (91.0, "31-90"), (float("inf"), "91+"))
"""First day that lies beyond each band, and its name."""
STAYS: Final = {"0-7": 8, "8-30": 23, "31-90": 60, "91+": 180}
"""Days that a customer stays in a band: for so long an event of that band counts. As many
customers pass through a band in that time as are in it at any, so that k / n is what one customer
does there; with 180 days for all, the first week's rates came out five times too high."""

DIMENSIONS: Final[dict[str, tuple[str, ...]]] = {
    "learning_difficulty": ("howto",),
    "unwillingness": ("unwilling",),
    "mismatch": ("mismatch",),
    "success": ("success", "advocacy"),
}
"""Dimension → flags that show it."""
EFFORT: Final = "education_effort"
"""The dimension that our answers show, not the customer's flags."""
MESSAGES: Final = "agent_messages"
"""Each of those answers, to be counted: no dimension of its own."""
REASONS: Final[dict[str, str]] = {
    "billing": "price",
    "policy": "price",
    "product": "quality",
    "feature": "capability",
    "outage": "reliability",
    "delivery": "delivery",
    "staff": "service",
}
"""Issue of a mismatch → what was expected otherwise. The codebook has no label for it: of the other
issues it is not known."""


class FitPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    min_quality: float = 0.3
    """Probability of a label under which it is no event."""
    repeat_hours: float = 72.0
    """One event per customer and issue in this time."""
    again_days: float = 14.0
    """The same question within this time is asked again."""
    half_life_days: float = 30.0
    kept_days: float = 180.0
    prior_strength: float = 20.0
    """κ where empirical Bayes cannot tell."""
    min_customers: int = 10
    min_n_eff: float = 30.0
    max_width: float = 0.20
    above: float = 1.25
    below: float = 0.80
    certainty: float = 0.95
    accuracy: dict[str, tuple[float, float]] = {}
    """Dimension → measured (sensitivity, specificity) of its flags; Rogan and Gladen's correction
    takes the errors out. None: rates as the model sees them."""
    weights: dict[str, float] = msgspec.field(
        default_factory=lambda: {
            "learning_difficulty": -0.25,
            "unwillingness": -0.25,
            "mismatch": -0.25,
            "success": 0.25,
        }
    )
    """Exponent of each dimension's ratio in the overall index."""
    spend: dict[str, float] = {}
    """Segment → what its customers cost to win."""
    onboarding_days: float = 30.0
    intent: float = 0.5
    """Probability of a flag (churn, purchase, advocacy) from which it moves a stage."""
    advocacy_days: float = 180.0
    calm_days: float = 14.0
    """Without another sign for so long, nobody is at risk any more."""
    minutes_a_message: float = 5.0
    """An agent's working time on one message: no source tells it."""
    offer_days: float = 14.0
    """At most one offer of help to a customer in this time."""

    def __post_init__(self) -> None:
        for dimension, (sensitivity, specificity) in self.accuracy.items():
            if sensitivity + specificity <= 1:
                raise ValueError(
                    f"fit.accuracy.{dimension}=[{sensitivity}, {specificity}]: no better than "
                    "chance; give measured values whose sum is above 1, or leave it out"
                )


def band_of(tenure_days: float) -> str:
    """The tenure band that a number of days falls into."""
    return next(name for end, name in BANDS if tenure_days < end)
