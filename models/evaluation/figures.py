"""The figures that count, and how sure they are.

The same definitions as the project's score.py: macro averages over the classes that occur, average
precision by rank, expected calibration error in 15 bins of equal width on the top probability.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np

Array = np.ndarray[Any, Any]

BINS: Final = 15
RESAMPLES: Final = 1000
SEED: Final = 7


class Figure(msgspec.Struct, frozen=True):
    """A value with its 95 % bootstrap interval (percentiles of 1,000 resamples of the rows)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"


def figure(measure: Callable[..., float], *columns: Array) -> Figure:
    """`measure` on the columns (n rows each), and on resamples of the rows."""
    rng = np.random.default_rng(SEED)
    count = len(columns[0])
    drawn = (rng.integers(0, count, count) for _ in range(RESAMPLES))
    values = np.array([measure(*(column[rows] for column in columns)) for rows in drawn])
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return Figure(measure(*columns), float(low), float(high))


def confusion(gold: Array, found: Array, classes: int) -> Array:
    """Counts, (gold class, found class)."""
    return np.bincount(gold * classes + found, minlength=classes**2).reshape(classes, classes)


def macro_f1(gold: Array, found: Array) -> float:
    """Mean F1 of the classes that occur in `gold`."""
    table = confusion(gold, found, int(max(gold.max(), found.max())) + 1)
    occurs = table.sum(1) > 0
    hits = np.diag(table)
    return float((2 * hits / np.maximum(table.sum(0) + table.sum(1), 1))[occurs].mean())


def macro_recall(gold: Array, found: Array) -> float:
    """Mean recall of the classes that occur in `gold`."""
    table = confusion(gold, found, int(max(gold.max(), found.max())) + 1)
    occurs = table.sum(1) > 0
    return float((np.diag(table)[occurs] / table.sum(1)[occurs]).mean())


def absolute_error(gold: Array, found: Array) -> float:
    """Mean distance in grades."""
    return float(np.abs(gold - found).mean())


def average_precision(gold: Array, scores: Array) -> float:
    """Mean precision at the rank of each true row; NaN where none is true."""
    hits = gold[np.argsort(-scores, kind="stable")] > 0
    if not hits.any():
        return float("nan")
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(precision[hits].mean())


def mean_average_precision(gold: Array, scores: Array) -> float:
    """Mean over the columns, (n, k) each, that have a true row."""
    found = [average_precision(gold[:, i], scores[:, i]) for i in range(gold.shape[1])]
    return float(np.nanmean(found)) if not np.isnan(found).all() else float("nan")


def calibration_error(confidence: Array, right: Array) -> float:
    """Σ share of the bin · |how often right − how sure|."""
    total = 0.0
    for _, share, sure, often in reliability(confidence, right):
        total += share * abs(often - sure)
    return total


def reliability(confidence: Array, right: Array) -> list[tuple[float, float, float, float]]:
    """(upper end, share of the rows, mean confidence, share that is right) of each bin in use."""
    bins = np.clip(np.ceil(confidence * BINS).astype(int), 1, BINS)
    return [
        (
            number / BINS,
            float((bins == number).mean()),
            float(confidence[bins == number].mean()),
            float(right[bins == number].mean()),
        )
        for number in range(1, BINS + 1)
        if (bins == number).any()
    ]
