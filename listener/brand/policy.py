"""What of brand risk the business decides; the defaults are those of definitions §4."""

from __future__ import annotations

import msgspec


class BrandPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reach_weight: float = 0.25
    """β: how much a tenfold audience adds to a mention's weight."""
    reach_cap: int = 100_000
    bot_weight: float = 0.1
    new_account_weight: float = 0.5
    new_account_days: float = 7.0
    grace_seconds: int = 120
    """How late a mention may be without being called late."""
    min_history_hours: float = 24.0
    """Event time that must have been seen before anything is called an incident."""
    min_authors: int = 5
    p_long: float = 1e-4
    """Significance of one hour."""
    p_short: float = 1e-2
    """Significance of a quarter of an hour."""
    page_fast: float = 13.4
    """Burn of 1 h, confirmed on 15 min."""
    page_slow: float = 5.6
    """Burn of 6 h, confirmed on 30 min."""
    ticket: float = 1.5
    """Burn of 3 d. The budget is the mean itself, so ordinary days burn at 1."""
    ticket_history_days: float = 7.0
    clear_share: float = 0.5
    """An incident may close once the short burn is under this share of its threshold."""
    clear_ticks: int = 6
    """Calm ticks of five minutes in a row before it does."""
    author_key: str = "listener"
    """Key of the author hash; change it to make hashes of two installations unlike."""
