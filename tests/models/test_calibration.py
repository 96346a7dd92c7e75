"""Calibration makes a probability mean what it says, and never makes things worse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration import Array, isotonic, platt


def loss(p: Array, gold: Array) -> float:
    p = np.clip(p, 1e-9, 1 - 1e-9)
    return float(-(gold * np.log(p) + (1 - gold) * np.log(1 - p)).mean())


def sigmoid(z: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-z)))


@given(st.floats(0.2, 4), st.floats(-2, 2), st.floats(0.5, 8), st.integers(0, 9))
def test_a_network_that_is_too_sure_is_brought_back(
    slope: float, shift: float, spread: float, seed: int
) -> None:
    """Whatever the scale of its logits: the right slope is found, and stays finite."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, spread, 4000)
    gold = (rng.random(4000) < sigmoid(truth)).astype(float)
    logits = (truth - shift) / slope
    scale = platt(logits, gold)
    assert scale.slope == pytest.approx(slope, rel=0.35, abs=0.1)
    found = sigmoid(scale.slope * logits + scale.shift)
    assert loss(found, gold) <= loss(sigmoid(truth), gold) + 0.005


@given(st.lists(st.tuples(st.floats(-60, 60), st.booleans()), min_size=1, max_size=60))
def test_it_never_fits_worse_than_no_calibration_and_stays_sane(
    rows: list[tuple[float, bool]],
) -> None:
    """Separable rows, rows of one class, absurd logits: the pull keeps the slope finite."""
    logits = np.array([z for z, _ in rows])
    gold = np.array([float(true) for _, true in rows])
    scale = platt(logits, gold)
    assert 0.05 <= scale.slope < 50 and abs(scale.shift) < 100

    def penalised(a: float, b: float) -> float:
        z = a * logits + b
        return float((np.logaddexp(0, z) - gold * z).sum() + ((a - 1) ** 2 + b**2) / 2)

    if scale.slope > 0.05:
        assert penalised(scale.slope, scale.shift) <= penalised(1.0, 0.0) + 1e-6


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_isotonic_rises_and_keeps_the_mean(rows: list[tuple[float, bool]]) -> None:
    x = np.array([p for p, _ in rows])
    y = np.array([float(true) for _, true in rows])
    fitted = isotonic(x, y)
    assert (np.diff(fitted[np.argsort(x, kind="stable")]) >= -1e-12).all()
    assert fitted.mean() == pytest.approx(y.mean())
