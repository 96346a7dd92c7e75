"""What agreement is worth: Fellegi–Sunter weights, and how sure their sum makes us.

Fellegi and Sunter, A Theory for Record Linkage, JASA 64 (1969); the frequency of a value in place
of a level's u-probability as in Winkler (1989) and Splink.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from math import exp, log
from typing import Final, NamedTuple

import msgspec

from listener.identity.compare import (
    CLASH,
    FIELDS,
    FULL,
    INITIAL,
    MISSING,
    NONE,
    SURNAME,
    Pattern,
)
from listener.identity.names import Commonness, bare

INITIAL_SHARE: Final = 0.08
"""How often two people's given names begin with the same letter."""
LEAST: Final = 1e-7
"""No agreement is rarer by chance than this, whatever the tables say."""

SUREST: Final = 0.999
"""No trial of some hundreds of links could show that one is surer than this."""


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """m and u of each field's levels (chance of a level among pairs that are, and are not, one
    person), and the calibration of the posterior."""

    m: dict[str, tuple[float, ...]]
    u: dict[str, tuple[float, ...]]
    scales: dict[str, tuple[float, float]] = {}
    """Slope and offset of Platt's scale on the posterior's log-odds, for evidence that is
    `strong` (a whole name, a handle beyond the name, a domain) and `weak`."""
    threshold: float = 0.99
    """Least probability at which precision was ≥ .99 where it was measured."""


class Scored(NamedTuple):
    customer_id: str
    probability: float
    pattern: Pattern


def packaged() -> Weights:
    """The weights that come with the program (docs/benchmarks.md says from what)."""
    raw = files("listener.identity").joinpath("weights.json").read_bytes()
    return msgspec.json.decode(raw, type=Weights)


def log_ratio(pattern: Pattern, weights: Weights, common: Commonness) -> float:
    """ln of P(pattern | same person) ÷ P(pattern | not)."""
    total = _called(pattern, weights, common)
    for field, level in zip(FIELDS[1:], pattern.levels[1:], strict=True):
        if level != MISSING:
            u = max(weights.u[field][level], LEAST)
            if field == "handle" and level > 1 and pattern.called == MISSING:
                # No name says whether the handle is only somebody's name.
                u = max(u, chance(pattern.letters, common))
            total += log(weights.m[field][level] / u)
    return total


def chance(letters: str, common: Commonness) -> float:
    """How often a handle has these letters by chance, read as a name in every way."""
    letters = bare(letters)
    readings = [common.surname(letters)] if letters else [LEAST]
    if len(letters) > 3:
        readings.append(INITIAL_SHARE * common.surname(letters[1:]))
    for cut in range(2, len(letters) - 1):
        readings.append(common.given(letters[:cut]) * common.surname(letters[cut:]))
    return max(readings)


def _called(pattern: Pattern, weights: Weights, common: Commonness) -> float:
    """Whoever shows a whole name, an initial or a surname only, shows it of any name: how they
    show it says nothing, so that the agreement is rated by how common the name is."""
    level = pattern.called
    if level == MISSING:
        return 0.0
    m, u = weights.m["called"], weights.u["called"]
    if level == NONE:
        return log(m[NONE])
    if level == CLASH:
        return log(m[CLASH] / max(common.surname(pattern.surname), LEAST) / u[CLASH])
    rare = common.surname(pattern.surname)
    if level == INITIAL:
        rare *= INITIAL_SHARE
    if level == FULL:
        rare *= common.given(pattern.given)
    return log((m[SURNAME] + m[INITIAL] + m[FULL]) / max(rare, LEAST))


def rate(
    patterns: Sequence[tuple[str, Pattern]],
    weights: Weights,
    common: Commonness,
    *,
    share: float,
) -> list[Scored]:
    """The candidates with their probabilities, likeliest first.

    Each of `common.size` customers is as likely before anything is seen, `share` ÷ size; the
    author may also be nobody of the directory. So two who fit alike get at most a half each.
    """
    ratios = [exp(min(log_ratio(p, weights, common), 200.0)) for _, p in patterns]
    prior = share / max(common.size, 1)
    nobody = 1 - share + prior * max(common.size - len(ratios), 0)
    total = sum(ratios)
    whole = nobody + prior * total
    scored = [
        # The scale is of each by itself; still at most one of them is the author.
        Scored(
            customer, min(_scaled(prior * ratio, whole, pattern, weights), ratio / total), pattern
        )
        for (customer, pattern), ratio in zip(patterns, ratios, strict=True)
    ]
    return sorted(scored, key=lambda one: (-one.probability, one.customer_id))


def strength(pattern: Pattern) -> str:
    """A surname is shared by families, some of whom share an initial: no count foresees them."""
    more = pattern.called == FULL or pattern.handle >= 2 or pattern.domain >= 1
    return "strong" if more else "weak"


def _scaled(fits: float, whole: float, pattern: Pattern, weights: Weights) -> float:
    """The probability `fits` ÷ `whole`, on the scale of such evidence."""
    slope, offset = weights.scales.get(strength(pattern), (1.0, 0.0))
    others = max(whole - fits, whole * 1e-15)
    logit = slope * log(max(fits, 1e-300) / others) + offset
    return min(1 / (1 + exp(-max(logit, -30.0))), SUREST) if logit < 30 else SUREST
