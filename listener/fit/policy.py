"""What of fit the business decides, and the tenure bands."""

from __future__ import annotations

from typing import Final

import msgspec

BANDS: Final = ((8.0, "0-7"), (31.0, "8-30"), (91.0, "31-90"), (float("inf"), "91+"))
"""First day that lies beyond each band, and its name."""

DIMENSIONS: Final[dict[str, tuple[str, ...]]] = {
    "learning_difficulty": ("howto",),
    "unwillingness": ("unwilling",),
    "mismatch": ("mismatch",),
    "success": ("success", "advocacy"),
}
"""Dimension → flags that show it."""


class FitPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    min_quality: float = 0.3
    """Probability of a label under which it is no event."""
    repeat_hours: float = 72.0
    """One event per customer and issue in this time."""
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


def band_of(tenure_days: float) -> str:
    """The tenure band that a number of days falls into."""
    return next(name for end, name in BANDS if tenure_days < end)
