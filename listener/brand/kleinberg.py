"""Kleinberg's automaton of two states, which dates a burst (J. Kleinberg, Bursty and Hierarchical
Structure in Streams, 2002), with negative-binomial counts in place of his gaps."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from listener.distributions import negative_binomial_log


def busy(
    counts: Sequence[float],
    usual: Sequence[float],
    dispersion: float,
    *,
    multiple: float,
    cost: float,
) -> list[bool]:
    """For each step whether the burst state, `multiple` times the usual, explains the counts best.

    Going up costs `cost`·ln(steps), going down nothing; the cheapest path by Viterbi.
    """
    up = cost * log(max(len(counts), 2))
    calm, burst = 0.0, up
    back: list[tuple[bool, bool]] = []
    for count, mean in zip(counts, usual, strict=True):
        from_burst = burst < calm
        stays = burst <= calm + up
        back.append((from_burst, stays))
        calm, burst = (
            min(calm, burst) - negative_binomial_log(count, mean, dispersion),
            min(burst, calm + up) - negative_binomial_log(count, multiple * mean, dispersion),
        )
    return _traced(back, ends_busy=burst < calm)


def _traced(back: Sequence[tuple[bool, bool]], *, ends_busy: bool) -> list[bool]:
    path: list[bool] = []
    state = ends_busy
    for from_burst, stays in reversed(back):
        path.append(state)
        state = stays if state else from_burst
    return path[::-1]
