"""Weights from a directory's own customers who gave handles on several networks.

One handle is hidden, the customer is known by the rest: pairs of the hidden account and a customer
are one person or not, and expectation–maximisation (Dempster, Laird and Rubin, 1977) tells how each
field behaves in both kinds without being told which is which. Only the calibration, in the end,
looks at the truth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import exp, log1p, sqrt
from typing import Final, NamedTuple

import msgspec

from listener.identity.compare import CLASH, FIELDS, LEVELS, MISSING, NONE, Pattern
from listener.identity.names import Commonness
from listener.identity.weights import Weights, rate

Levels = tuple[int, ...]
_PRIOR: Final = 20.0
"""Pairs that the weights of the start count for: a field that no pair has keeps them."""
_ROUNDS: Final = 12
_OF_NAMESAKES: Final = ("echo", "short")
"""Fields whose u is that of people of the same name or surname, as they are rated."""


class Group(NamedTuple):
    """One author and the customers they were compared with: at most one of them is the author."""

    patterns: Sequence[tuple[str, Pattern]]
    common: Commonness


def expectation_maximisation(groups: Sequence[Group], start: Weights, *, share: float) -> Weights:
    """m of every field, and u of what is rated among people of one name.

    The E-step is the rating itself, so that of an author's candidates at most one counts.
    """
    found = start
    for _ in range(_ROUNDS):
        same: Counter[Levels] = Counter()
        other: Counter[Levels] = Counter()
        for group in groups:
            scored = rate(group.patterns, found, group.common, share=share)
            for one in scored:
                same[one.pattern.levels] += one.probability  # type: ignore[assignment]  # a share
                other[one.pattern.levels] += 1 - one.probability  # type: ignore[assignment]
        found = _maximised(same, other, start)
    return found


def _maximised(same: Counter[Levels], other: Counter[Levels], start: Weights) -> Weights:
    m, apart = _shares(same, start.m), _shares(other, start.u)
    clash = apart["called"][CLASH] / max(1 - apart["called"][NONE], 1e-9)
    called = list(start.u["called"])
    called[CLASH] = clash
    u = _lists(start.u) | {field: apart[field] for field in _OF_NAMESAKES} | {"called": called}
    return msgspec.structs.replace(start, m=_rounded(m), u=_rounded(u))


def by_chance(pairs: Mapping[Levels, int], start: Weights) -> Weights:
    """The start with u of the fields that no name explains, from pairs drawn at random: nearly
    none of them is one person."""
    drawn = _shares(pairs, start.u)
    kept = {field: drawn[field] for field in FIELDS if field not in ("called", *_OF_NAMESAKES)}
    return msgspec.structs.replace(start, u=_rounded(_lists(start.u) | kept))


def platt(logits: Sequence[float], truths: Sequence[bool]) -> tuple[float, float]:
    """Slope and offset of the logistic curve through them, by Newton steps halved until they
    help, with Platt's (1999) softened targets."""
    right = sum(truths)
    high, low = (right + 1) / (right + 2), 1 / (len(truths) - right + 2)
    targets = [high if truth else low for truth in truths]
    slope, offset = 1.0, 0.0
    loss = _loss(logits, targets, slope, offset)
    for _ in range(100):
        step, size = _newton(logits, targets, slope, offset), 1.0
        while size > 1e-6:
            trial = slope + size * step[0], offset + size * step[1]
            lower = _loss(logits, targets, *trial)
            if lower < loss:
                (slope, offset), loss = trial, lower
                break
            size /= 2
        else:
            break
    return slope, offset


def _loss(xs: Sequence[float], targets: Sequence[float], slope: float, offset: float) -> float:
    total = 0.0
    for x, target in zip(xs, targets, strict=True):
        z = slope * x + offset
        total += max(z, 0.0) - z * target + log1p(exp(-abs(z)))
    return total


def threshold_for(
    probabilities: Sequence[float], truths: Sequence[bool], *, precision: float
) -> float:
    """The least probability such that all at or above it are right this often, even at the lower
    end of the share's 95 % interval; 1 where there is none."""
    ranked = sorted(zip(probabilities, truths, strict=True), reverse=True)
    right, best = 0, 1.0
    for number, (probability, truth) in enumerate(ranked, 1):
        right += truth
        if lower_end(right, number) >= precision:
            best = probability
    return best


def lower_end(right: int, count: int) -> float:
    """Of Wilson's 95 % interval of a share."""
    if not count:
        return 0.0
    z, p = 1.96, right / count
    middle = p + z * z / (2 * count)
    return (middle - z * sqrt(p * (1 - p) / count + z * z / (4 * count**2))) / (1 + z * z / count)


def _newton(
    xs: Sequence[float], targets: Sequence[float], slope: float, offset: float
) -> tuple[float, float]:
    g1 = g0 = h11 = h10 = h00 = 0.0
    for x, target in zip(xs, targets, strict=True):
        p = 1 / (1 + exp(-max(min(slope * x + offset, 30.0), -30.0)))
        g1, g0 = g1 + (target - p) * x, g0 + (target - p)
        weight = max(p * (1 - p), 1e-9)
        h11, h10, h00 = h11 + weight * x * x, h10 + weight * x, h00 + weight
    h11, h00 = h11 + 1e-3, h00 + 1e-3
    det = h11 * h00 - h10 * h10
    return (h00 * g1 - h10 * g0) / det, (h11 * g0 - h10 * g1) / det


def _shares(
    pairs: Mapping[Levels, int], start: Mapping[str, Sequence[float]]
) -> dict[str, list[float]]:
    """Share of each level of each field, smoothed by what it was at the start."""
    found = {}
    for place, field in enumerate(FIELDS):
        counts: Counter[int] = Counter()
        for levels, count in pairs.items():
            counts[levels[place]] += count
        seen = sum(count for level, count in counts.items() if level != MISSING)
        found[field] = [
            (counts[level] + _PRIOR * start[field][level]) / (seen + _PRIOR)
            for level in range(LEVELS[field])
        ]
    return found


def _lists(table: Mapping[str, Iterable[float]]) -> dict[str, list[float]]:
    return {field: list(values) for field, values in table.items()}


def _rounded(table: Mapping[str, Iterable[float]]) -> dict[str, tuple[float, ...]]:
    return {field: tuple(float(f"{v:.4g}") for v in values) for field, values in table.items()}
