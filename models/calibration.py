"""From raw logits to calibrated probabilities, and the thresholds that go with them.

Softmax heads: one temperature each (Guo et al. 2017). Independent labels: p = σ(a·z + b) each
(Platt 1999), with a pull towards a = 1, b = 0 so that rare labels stay sane.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np

from models.classifier import Bands
from models.labels import FLAGS, SOFTMAX

Array = np.ndarray[Any, Any]

PRECISION: Final = 0.9
RIGHT: Final = 0.6
"""A top class is clear from the probability on at which it is right so often on held-out rows, and
a yes or a no likewise."""


class Scale(msgspec.Struct, frozen=True):
    """σ(slope·z + shift)."""

    slope: float = 1.0
    shift: float = 0.0


class Threshold(msgspec.Struct, frozen=True):
    """Probability from which a label counts: best F1, and the least with precision ≥ 0.9."""

    best: float = 0.5
    precise: float = 0.9


class Calibration(msgspec.Struct, frozen=True):
    """Stored beside the weights."""

    temperatures: dict[str, float]
    complaint: Scale
    flags: dict[str, Scale]
    thresholds: dict[str, Threshold] = {}
    bands: Bands = Bands()

    def softmax(self, head: str, logits: Array) -> Array:
        """(n, k) logits → (n, k) probabilities that sum to 1."""
        scaled = logits.astype(np.float64) / self.temperatures[head]
        scaled -= scaled.max(axis=1, keepdims=True)
        found = np.exp(scaled)
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def independent(self, logits: Array, scales: list[Scale]) -> Array:
        """(n, k) logits → (n, k) probabilities."""
        slopes = np.array([scale.slope for scale in scales])
        shifts = np.array([scale.shift for scale in scales])
        return np.asarray(1 / (1 + np.exp(-np.clip(logits * slopes + shifts, -30, 30))))


def fit(logits: dict[str, Array], gold: dict[str, Array]) -> Calibration:
    """Calibration on held-out rows. `gold`: class indices for softmax heads, else 0/1 (n, k)."""
    plain = Calibration(
        temperatures={head: _temperature(logits[head], gold[head]) for head in SOFTMAX},
        complaint=platt(logits["complaint"][:, 0], gold["complaint"][:, 0]),
        flags={
            name: platt(logits["flags"][:, i], gold["flags"][:, i]) for i, name in enumerate(FLAGS)
        },
    )
    flags = plain.independent(logits["flags"], [plain.flags[name] for name in FLAGS])
    complaint = plain.independent(logits["complaint"], [plain.complaint])
    thresholds = {
        name: _threshold(flags[:, i], gold["flags"][:, i]) for i, name in enumerate(FLAGS)
    }
    thresholds["complaint"] = _threshold(complaint[:, 0], gold["complaint"][:, 0])
    soft = {head: plain.softmax(head, logits[head]) for head in SOFTMAX}
    doubt = {name: _doubt(flags[:, i], gold["flags"][:, i]) for i, name in enumerate(FLAGS)}
    doubt["complaint"] = _doubt(complaint[:, 0], gold["complaint"][:, 0])
    bands = Bands(
        sure={head: _sure(soft[head], np.asarray(gold[head])) for head in SOFTMAX}, doubt=doubt
    )
    return msgspec.structs.replace(plain, thresholds=thresholds, bands=bands)


def _temperature(logits: Array, gold: Array) -> float:
    """The one of a fine grid with the least cross-entropy."""
    grid = np.exp(np.linspace(np.log(0.3), np.log(4.0), 120))
    return float(grid[np.argmin([_cross_entropy(logits / t, gold) for t in grid])])


def _cross_entropy(logits: Array, gold: Array) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return float((log_sum - shifted[np.arange(len(gold)), gold]).mean())


def platt(logits: Array, gold: Array, *, pull: float = 1.0) -> Scale:
    """Newton's method on the penalised log-likelihood, with steps halved until they help: a full
    step from a network that is all too sure runs away to a slope without end."""
    point = np.array([1.0, 0.0])
    for _ in range(100):
        gradient, hessian = _slope(point, logits, gold, pull)
        step = np.linalg.solve(hessian, gradient)
        before = _loss(point, logits, gold, pull)
        while _loss(point - step, logits, gold, pull) > before and np.abs(step).max() > 1e-9:
            step = step / 2
        point = point - step
        if np.abs(step).max() < 1e-8:
            break
    return Scale(slope=max(float(point[0]), 0.05), shift=float(point[1]))


def _loss(point: Array, logits: Array, gold: Array, pull: float) -> float:
    z = point[0] * logits + point[1]
    fit = (np.logaddexp(0, z) - gold * z).sum()
    return float(fit + pull / 2 * ((point[0] - 1) ** 2 + point[1] ** 2))


def _slope(point: Array, logits: Array, gold: Array, pull: float) -> tuple[Array, Array]:
    """Gradient (2,) and Hessian (2, 2) of the loss."""
    p = 1 / (1 + np.exp(-np.clip(point[0] * logits + point[1], -30, 30)))
    error, weight = p - gold, p * (1 - p)
    cross = (weight * logits).sum()
    gradient = np.array(
        [
            (error * logits).sum() + pull * (point[0] - 1),
            error.sum() + pull * point[1],
        ]
    )
    hessian = np.array([[(weight * logits**2).sum() + pull, cross], [cross, weight.sum() + pull]])
    return gradient, hessian


def _sure(found: Array, gold: Array) -> float:
    """Least top probability at which the top class is right often enough."""
    top = found.max(axis=1)
    often = isotonic(top, (found.argmax(axis=1) == gold).astype(float))
    return _clipped(top[often >= RIGHT].min(initial=1.0), 1 / found.shape[1], 0.7)


def _doubt(found: Array, gold: Array) -> tuple[float, float]:
    """Probabilities between which neither yes nor no is right often enough."""
    often = isotonic(found, gold.astype(float))
    low = _clipped(found[often <= 1 - RIGHT].max(initial=0.0), 0.2, 0.5)
    return low, _clipped(found[often >= RIGHT].min(initial=1.0), 0.5, 0.8)


def _clipped(value: float, low: float, high: float) -> float:
    return round(min(max(float(value), low), high), 3)


def isotonic(x: Array, y: Array) -> Array:
    """The rising step function of x that is nearest to y, at each x (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for value in y[np.argsort(x, kind="stable")]:
        blocks.append([float(value), 1.0])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    fitted = np.concatenate([np.full(int(count), total / count) for total, count in blocks])
    found = np.empty(len(y))
    found[np.argsort(x, kind="stable")] = fitted
    return found


def _threshold(found: Array, gold: Array) -> Threshold:
    grid = np.linspace(0.05, 0.95, 91)
    f1 = [_f1(found >= t, gold) for t in grid]
    precise = [t for t in grid if _precision(found >= t, gold) >= PRECISION]
    return Threshold(
        best=round(float(grid[int(np.argmax(f1))]), 2),
        precise=round(float(min(precise, default=0.95)), 2),
    )


def _f1(found: Array, gold: Array) -> float:
    hits = float((found & (gold > 0)).sum())
    return 2 * hits / (float(found.sum() + gold.sum()) or 1.0)


def _precision(found: Array, gold: Array) -> float:
    return float((found & (gold > 0)).sum()) / (float(found.sum()) or 1.0)
