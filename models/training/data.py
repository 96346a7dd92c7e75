"""The training files as rows of one shape."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from listener.errors import InputError
from models.labels import FLAGS, ISSUES, SENTIMENTS
from models.text import prepare, without_names

EMOTIONS: Final = [
    "admiration",
    "amusement",
    "anger",
    "annoyance",
    "approval",
    "caring",
    "confusion",
    "curiosity",
    "desire",
    "disappointment",
    "disapproval",
    "disgust",
    "embarrassment",
    "excitement",
    "fear",
    "gratitude",
    "grief",
    "joy",
    "love",
    "nervousness",
    "optimism",
    "pride",
    "realization",
    "relief",
    "remorse",
    "sadness",
    "surprise",
    "neutral",
]
FEELINGS: Final = ("anger", "joy", "optimism", "sadness")
"""TweetEval's emotions, one a tweet."""
OWN: Final = Path(__file__).parent / "rows"
HELD_OUT: Final = 0.1
"""Share of the fully annotated rows that calibrates and chooses, never trains."""


class Row(msgspec.Struct, frozen=True):
    """A prepared text and the targets it has. Softmax heads: index; others: list of 0/1."""

    text: str
    targets: dict[str, int | list[float]]
    nameless: str = ""
    """The text with `@company` for the names of companies; empty: it is always read as it is."""


def full_rows(data: Path) -> tuple[list[Row], list[Row]]:
    """Rows with every label of the codebook: (to train on, held out), split by id."""
    train: list[Row] = []
    held: list[Row] = []
    for row in (*_codebook_rows(data / "train"), *_own_rows(data / "train")):
        (held if _is_held(row["id"]) else train).append(_full(row))
    return train, held


def _codebook_rows(folder: Path) -> Iterator[dict[str, Any]]:
    for name in ("annotated.jsonl", "written.jsonl"):
        yield from _read(folder / name)


def _own_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Messages that we wrote, and the codebook's labels that we gave to public texts by their id
    (the texts themselves are not ours to ship)."""
    yield from _read(OWN / "written.jsonl")
    sources = (folder / "complaints.jsonl", folder / "sentiment.jsonl")
    texts = {row["id"]: row["text"] for path in sources for row in _read(path)}
    for row in _read(OWN / "labelled.jsonl"):
        if row["id"] in texts:
            yield row | {"text": texts[row["id"]]}


def side_rows(data: Path) -> dict[str, list[Row]]:
    """Rows with some labels, by task."""
    folder = data / "train"
    return {
        "sentiment": [_sentiment(r) for r in _read(folder / "sentiment.jsonl")],
        "complaint": [
            _complaint(r)
            for name in ("complaints.jsonl", "review_severity.jsonl")
            for r in _read(folder / name)
        ],
        "emotions": [_emotions(r) for r in _read(folder / "emotions.jsonl")],
        "feelings": [
            Row(prepare(r["text"]), {"feelings": FEELINGS.index(r["label"])})
            for name in ("emotion_train.jsonl", "emotion_val.jsonl")
            for r in _read(folder / name)
        ],
        "irony": [
            Row(prepare(r["text"]), {"irony": int(r["label"] in ("yes", 1, "irony"))})
            for name in ("irony_train.jsonl", "irony_val.jsonl")
            for r in _read(folder / name)
        ],
    }


def _full(row: dict[str, Any]) -> Row:
    targets: dict[str, int | list[float]] = {
        "sentiment": SENTIMENTS.index(row["sentiment"]),
        "complaint": [float(row["complaint"])],
        "severity": int(row["severity"]),
        "issue": ISSUES.index(row["issue"]),
        "flags": [float(flag in row["flags"]) for flag in FLAGS],
    }
    return _addressed(row["text"], targets)


def _addressed(text: str, targets: dict[str, int | list[float]]) -> Row:
    return Row(prepare(text), targets, prepare(without_names(text)))


def _sentiment(row: dict[str, Any]) -> Row:
    return Row(prepare(row["text"]), {"sentiment": SENTIMENTS.index(row["sentiment"])})


def _complaint(row: dict[str, Any]) -> Row:
    targets: dict[str, int | list[float]] = {"complaint_public": [float(row["complaint"])]}
    if row.get("severity") is not None:
        targets["severity_public"] = int(row["severity"])
    return _addressed(row["text"], targets)


def _emotions(row: dict[str, Any]) -> Row:
    return Row(
        prepare(row["text"]), {"emotions": [float(name in row["emotions"]) for name in EMOTIONS]}
    )


def _is_held(identifier: str) -> bool:
    digest = hashlib.sha256(identifier.encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32 < HELD_OUT


def _read(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines if line.strip())
    except OSError as error:
        raise InputError(
            f"{path}: cannot read ({error.strerror}); give the data folder with --data"
        ) from None
