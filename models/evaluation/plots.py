"""Reliability diagrams and confusion matrices, as PNG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from listener.errors import ModelError
from models.evaluation.evaluate import Evaluation
from models.labels import GRADES, ISSUES, SENTIMENTS

NAMES: Final[dict[str, list[str]]] = {
    "sentiment": list(SENTIMENTS),
    "complaint": ["no", "yes"],
    "severity": [str(grade) for grade in range(GRADES)],
    "issue": list(ISSUES),
}
SHOWN: Final = "annotated"
"""The file whose confusions are drawn: the only one with every label."""


def draw(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Writes the pictures into `folder` and returns their paths. Raises ModelError."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ModelError("plots need matplotlib; pip install 'listener[torch]'") from None
    folder.mkdir(parents=True, exist_ok=True)
    return list(_draw(evaluation, folder, Figure))


def _draw(evaluation: Evaluation, folder: Path, figure: Any) -> Iterator[Path]:
    for head, table in evaluation[SHOWN].confusions.items():
        picture = figure(figsize=(6, 5) if len(table) > 5 else (4, 3.4), layout="constrained")
        _confusion(picture.subplots(), head, np.array(table))
        path = folder / f"confusion-{head}.png"
        picture.savefig(path, dpi=80)
        yield path
    picture = figure(figsize=(5, 4), layout="constrained")
    _reliability(picture.subplots(), evaluation)
    path = folder / "reliability.png"
    picture.savefig(path, dpi=80)
    yield path


def _confusion(axes: Any, head: str, table: Any) -> None:
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = NAMES[head]
    axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 5 else 0)
    axes.set_yticks(range(len(names)), names)
    axes.set(title=f"{head}: rows of {SHOWN}", xlabel="found", ylabel="true")
    for (row, column), count in np.ndenumerate(table):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color=colour)


def _reliability(axes: Any, evaluation: Evaluation) -> None:
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="perfect")
    for name, found in evaluation.items():
        for head, bins in found.reliabilities.items():
            kept = [item for item in bins if item[1] * found.rows >= 10]
            axes.plot(
                [item[2] for item in kept],
                [item[3] for item in kept],
                marker="o",
                markersize=3,
                linewidth=1,
                label=f"{head}, {name}",
            )
    axes.set(xlabel="how sure", ylabel="how often right (bins of 10 rows or more)")
    axes.legend(fontsize=7)
