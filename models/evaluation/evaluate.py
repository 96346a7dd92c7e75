"""Judges every evaluation file and takes the figures, whole, by source and by slice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import emoji
import msgspec
import numpy as np

from listener.errors import InputError
from listener.records import Judgement
from models.classifier import IGNORANT
from models.evaluation.figures import (
    Array,
    Figure,
    absolute_error,
    average_precision,
    calibration_error,
    confusion,
    figure,
    macro_f1,
    macro_recall,
    mean_average_precision,
    reliability,
)
from models.labels import FLAGS, ISSUES, SENTIMENTS

FILES: Final = ("annotated", "sentiment_tweeteval_val", "sentiment_airline", "emotions")
CALIBRATED: Final = ("sentiment", "complaint")
"""Heads whose calibration is measured."""
LEAST: Final = 20
"""Rows under which a slice says nothing."""
PLEASED: Final = frozenset(
    (
        *("admiration", "amusement", "approval", "caring", "desire", "excitement"),
        *("gratitude", "joy", "love", "optimism", "pride", "relief"),
    )
)
VEXED: Final = frozenset(
    (
        *("anger", "annoyance", "disappointment", "disapproval", "disgust", "embarrassment"),
        *("fear", "grief", "nervousness", "remorse", "sadness"),
    )
)
"""GoEmotions' own grouping; its ambiguous ones (confusion, curiosity, realization, surprise) and
comments of both groups are left out."""

Judge = Callable[[list[str]], Sequence[Judgement]]


class SetFigures(msgspec.Struct, frozen=True):
    """One file: figures by name, by slice, and what its plots need."""

    rows: int
    figures: dict[str, Figure]
    slices: dict[str, dict[str, Figure]]
    sizes: dict[str, int]
    confusions: dict[str, list[list[int]]]
    reliabilities: dict[str, list[tuple[float, float, float, float]]]


Evaluation = dict[str, SetFigures]


class _Columns:
    """What is true and what was found, as arrays with one row a text."""

    def __init__(self, rows: list[dict[str, Any]], judgements: Sequence[Judgement]) -> None:
        labels = [judgement.labels or IGNORANT for judgement in judgements]
        self.rows = rows
        self.gold: dict[str, Array] = {}
        self.scores: dict[str, Array] = {
            "sentiment": np.array([[x.sentiment[s] for s in SENTIMENTS] for x in labels]),
            "severity": np.array([x.severity for x in labels]),
            "issue": np.array([[x.issue[i] for i in ISSUES] for x in labels]),
            "complaint": np.array([[1 - x.complaint, x.complaint] for x in labels]),
            "flags": np.array([[x.flags[f] for f in FLAGS] for x in labels]),
        }
        if "sentiment" in rows[0]:
            self.gold["sentiment"] = np.array([SENTIMENTS.index(r["sentiment"]) for r in rows])
        if "issue" in rows[0]:
            self.gold["complaint"] = np.array([int(r["complaint"]) for r in rows])
            self.gold["severity"] = np.array([int(r["severity"]) for r in rows])
            self.gold["issue"] = np.array([ISSUES.index(r["issue"]) for r in rows])
            self.gold["flags"] = np.array([[int(f in r["flags"]) for f in FLAGS] for r in rows])

    def __getitem__(self, chosen: list[int]) -> _Columns:
        part = object.__new__(_Columns)
        part.rows = [self.rows[i] for i in chosen]
        part.gold = {name: column[chosen] for name, column in self.gold.items()}
        part.scores = {name: column[chosen] for name, column in self.scores.items()}
        return part

    def found(self, head: str) -> Array:
        # score.py calls a complaint from 0.5 on; a tie of classes goes to the first.
        if head == "complaint":
            return np.asarray(self.scores[head][:, 1] >= 0.5).astype(int)
        return np.asarray(self.scores[head].argmax(1))

    def right(self, head: str) -> Array:
        return np.asarray(self.gold[head] == self.found(head))


def evaluate(judge: Judge, data: Path) -> Evaluation:
    """Every file of `data/eval`. Raises InputError for one that cannot be read."""
    found: Evaluation = {}
    for name in FILES:
        rows = list(_rows(data / "eval" / f"{name}.jsonl"))
        found[name] = _measure(_Columns(rows, judge([row["text"] for row in rows])))
    return found


def _measure(columns: _Columns) -> SetFigures:
    parts = {name: columns[chosen] for name, chosen in _slices(columns.rows)}
    heads = [head for head in columns.gold if head != "flags"]
    return SetFigures(
        rows=len(columns.rows),
        figures=_headline(columns) | _by_flag(columns),
        slices={name: _headline(part) for name, part in parts.items()},
        sizes={name: len(part.rows) for name, part in parts.items()},
        confusions={
            head: confusion(
                columns.gold[head], columns.found(head), columns.scores[head].shape[1]
            ).tolist()
            for head in heads
        },
        reliabilities={
            head: reliability(
                columns.scores[head].max(1), columns.gold[head] == columns.found(head)
            )
            for head in heads
            if head in ("sentiment", "complaint")
        },
    )


def _headline(columns: _Columns) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    for head, gold in columns.gold.items():
        if head == "flags":
            scores = columns.scores[head]
            found["flags_mean_ap"] = figure(mean_average_precision, gold, scores)
            continue
        top = columns.found(head)
        found[f"{head}_macro_f1"] = figure(macro_f1, gold, top)
        if head == "sentiment":
            found["sentiment_macro_recall"] = figure(macro_recall, gold, top)
        if head in CALIBRATED:
            sure = columns.scores[head].max(1)
            found[f"{head}_ece"] = figure(calibration_error, sure, columns.right(head))
        if head == "severity":
            found["severity_mean_abs_error"] = figure(absolute_error, gold, top)
    return found


def _by_flag(columns: _Columns) -> dict[str, Figure]:
    gold = columns.gold.get("flags")
    if gold is None:
        return {}
    return {
        f"flag_ap_{name} (n={gold[:, i].sum()})": figure(
            average_precision, gold[:, i], columns.scores["flags"][:, i]
        )
        for i, name in enumerate(FLAGS)
        if gold[:, i].any()
    }


def _slices(rows: list[dict[str, Any]]) -> Iterator[tuple[str, list[int]]]:
    tests: dict[str, Callable[[dict[str, Any]], bool]] = {
        "up to 60 characters": lambda row: len(row["text"]) <= 60,
        "61 to 140 characters": lambda row: 60 < len(row["text"]) <= 140,
        "over 140 characters": lambda row: len(row["text"]) > 140,
        "with emoji": lambda row: emoji.emoji_count(row["text"]) > 0,
        "with a question mark": lambda row: "?" in row["text"],
        "sarcastic": lambda row: "sarcasm" in row.get("flags", ()),
    }
    for name in sorted({str(row["source"]) for row in rows if "source" in row}):
        tests[f"source {name}"] = lambda row, name=name: row.get("source") == name  # type: ignore[misc]
    for name in sorted({str(row["channel"]) for row in rows if "channel" in row}):
        tests[f"channel {name}"] = lambda row, name=name: row.get("channel") == name  # type: ignore[misc]
    for name, test in tests.items():
        chosen = [i for i, row in enumerate(rows) if test(row)]
        if LEAST <= len(chosen) < len(rows):
            yield name, chosen


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(
            f"{path}: cannot read ({error.strerror}); give the data folder with --data"
        ) from None
    for line in lines:
        row = json.loads(line)
        if "emotions" in row:
            row["sentiment"] = _polarity(set(row["emotions"]))
        if row.get("sentiment"):
            yield row


def _polarity(emotions: set[str]) -> str | None:
    """The sentiment that a comment's emotions agree on, if they do."""
    if emotions == {"neutral"}:
        return "neu"
    pleased, vexed = bool(emotions & PLEASED), bool(emotions & VEXED)
    if pleased == vexed:
        return None
    return "pos" if pleased else "neg"
