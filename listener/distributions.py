"""The distributions that the rules need: Beta, negative binomial, and Wilson's interval."""

from __future__ import annotations

from math import exp, lgamma, log, log1p, sqrt
from typing import Final

_STEPS: Final = 300
_TINY: Final = 1e-300
_PRECISION: Final = 1e-12


def cdf(x: float, a: float, b: float) -> float:
    """P(θ ≤ x) for θ ~ Beta(a, b): the regularised incomplete beta function.

    Continued fraction of DLMF 8.17.22, evaluated by Lentz's method.
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def quantile(p: float, a: float, b: float) -> float:
    """The x with cdf(x) = p, by bisection to 1e-9."""
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if cdf(middle, a, b) < p else (low, middle)
    return (low + high) / 2


def negative_binomial_tail(count: int, mean: float, dispersion: float) -> float:
    """P(X ≥ count) for X of this mean and variance mean + mean²/dispersion."""
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    return cdf(mean / (mean + dispersion), float(count), dispersion)


def wilson(hits: float, total: float, *, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share, 95 % by default; (0, 1) of nothing."""
    if total <= 0:
        return 0.0, 1.0
    share = min(hits / total, 1.0)
    centre = share + z * z / (2 * total)
    half = z * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / _away(1 + even * d), _away(1 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / _away(1 + odd * d), _away(1 + odd / c)
        value *= d * c
        if abs(d * c - 1) < _PRECISION:
            break
    return value


def _away(value: float) -> float:
    """Lentz's method divides: never by nothing."""
    return value if abs(value) > _TINY else _TINY
