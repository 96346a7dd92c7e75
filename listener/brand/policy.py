"""What of brand risk the business decides; the defaults are those of definitions §4."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec


class BrandPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reach_weight: float = 0.25
    """β: how much a tenfold audience adds to a mention's weight."""
    reach_cap: int = 100_000
    """Most reach that counts; the 99th percentile of a source that `reach_caps` does not name."""
    reach_caps: dict[str, int] = {}
    """Network → its 99th percentile of reach."""
    bot_weight: float = 0.1
    new_account_weight: float = 0.5
    new_account_days: float = 7.0
    posts_an_hour: int = 5
    """Posts of one author about the brand in an hour that count in full; all later ones together
    add as much again at most."""
    timezone: str = "UTC"
    """Where the brand's customers wake and sleep: the baseline is by their hour of the week."""
    timezones: dict[str, str] = {}
    """Brand → its own time zone."""
    competitors: dict[str, tuple[str, ...]] = {}
    """Brand → the brands that its share of voice is measured against; none: the rivals of
    `escalation.rivals`, for every other brand."""
    grace_seconds: int = 120
    """How late a mention may be without being called late."""
    patience_seconds: float = 5.0
    """How long an input partition that has gone silent holds the windows of the others open."""
    silence_seconds: float = 300.0
    """How long nothing must have come of a brand before time alone completes its windows."""
    min_history_hours: float = 24.0
    """Event time that must have been seen before anything is called a burst or an incident."""
    prior_authors: float = 1.0
    """Distinct negative authors an hour of a brand that nothing is known of."""
    prior_weight: float = 0.5
    """Its weighted volume an hour."""
    prior_hours: float = 3.0
    """Hours of history that the two are worth."""
    prior_dispersion: float = 4.0
    """Dispersion r of the negative binomial (variance m + m²/r) before the brand shows its own."""
    min_authors: int = 5
    p_long: float = 1e-4
    """Significance of one hour."""
    p_short: float = 1e-2
    """Significance of a quarter of an hour."""
    p_sudden: float = 1e-4
    """Significance of a quarter of an hour that needs no hour beside it: the hour before dilutes
    a sudden burst for half an hour. A week has 2,016 looks, so that at most .2 of them a week and
    channel are chance."""
    min_ratio: float = 2.0
    """Least multiple of the usual that is called a burst, however sure it is."""
    page_fast: float = 13.4
    """Burn of 1 h, confirmed on 15 min."""
    page_slow: float = 5.6
    """Burn of 6 h, confirmed on 30 min."""
    ticket: float = 1.93
    """Burn of 3 d: a tenth of the 28-day budget on top of the tenth that ordinary days take."""
    ticket_history_days: float = 7.0
    leak_drift: float = 0.5
    """CUSUM of hourly standard scores: what is taken off each hour."""
    leak_level: float = 12.0
    """Sum from which a slow leak is called real."""
    clear_share: float = 0.5
    """An incident may close once the short burn is under this share of its threshold."""
    clear_ticks: int = 6
    """Calm ticks of five minutes in a row before it does."""
    merge_hours: float = 2.0
    """What starts again within this time of its end is the same."""
    burst_multiple: float = 3.0
    """Kleinberg's s: how much busier the burst state is than the usual."""
    burst_cost: float = 1.0
    """Kleinberg's γ: the price of going up, times ln(ticks)."""
    author_key: str = "listener"
    """Key of the author hash; change it to make hashes of two installations unlike."""

    def __post_init__(self) -> None:
        for name in (self.timezone, *self.timezones.values()):
            _check(name)

    def zone(self, brand: str) -> ZoneInfo:
        return ZoneInfo(self.timezones.get(brand, self.timezone))


def _check(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"timezone {name}: not known; give an IANA name such as Europe/Berlin"
        ) from None
