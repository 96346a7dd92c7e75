"""Which words moved a judgement: each is left out in its turn (occlusion; Zeiler and Fergus 2014).

No gradient, so it holds for every runtime, and what it says can be tried by hand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import log
from typing import Final, Protocol

import msgspec

from listener.records import Judgement, Labels

PIECES: Final = 64
"""Most parts that a text is cut into; a longer text is left out several words at a time."""
LEAST_EFFECT: Final = 0.25
"""Of log-odds: a word that makes a label at least 1.28 times as likely, or as unlikely."""
EDGE: Final = 0.001
"""Probabilities are taken to be at least so far from 0 and 1."""
LEAST_FLAG: Final = 0.3
SHOWN: Final = 8
"""Most words of one label."""

_WORD: Final = re.compile(r"\S+")


class Judge(Protocol):
    """What is asked; `models.classifier.Classifier` is one."""

    def judge(self, texts: Sequence[str], langs: Sequence[str | None]) -> list[Judgement]: ...


class Word(msgspec.Struct, frozen=True):
    """Words at [start, end) of the text, and what the label's log-odds lose without them.

    Of odds and not of probability, because of a label that is all but sure no single word takes
    much away.
    """

    text: str
    start: int
    end: int
    effect: float


class Why(msgspec.Struct, frozen=True):
    """One label that was found, with the words that moved it most, for or against."""

    head: str
    label: str
    p: float
    words: tuple[Word, ...]


def explain(judge: Judge, text: str, lang: str | None) -> list[Why]:
    """Reasons for the top class of each head and for each flag that is near to yes.

    Empty where nothing was judged. Costs one judgement a word, 65 at most.
    """
    pieces = _pieces(text)
    without = [text[: piece.start()] + text[piece.end() :] for piece in pieces]
    full, *rest = judge.judge([text, *without], [lang] * (len(pieces) + 1))
    if full.labels is None:
        return []
    return [
        Why(head=head, label=label, p=_p(full.labels, head, label), words=words)
        for head, label in _found(full.labels)
        if (words := _words(pieces, full.labels, rest, head, label))
    ]


def _pieces(text: str) -> list[re.Match[str]]:
    words = list(_WORD.finditer(text))
    if len(words) <= PIECES:
        return words
    size = -(-len(words) // PIECES)
    return list(re.finditer(rf"\S+(?:\s+\S+){{0,{size - 1}}}", text))


def _found(labels: Labels) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = [
        ("sentiment", labels.top_sentiment),
        ("issue", labels.top_issue),
    ]
    if labels.complaint >= 0.5:
        grade = max(range(1, len(labels.severity)), key=labels.severity.__getitem__)
        found += [("complaint", "yes"), ("severity", str(grade))]
    flags = sorted(labels.flags.items(), key=lambda item: -item[1])
    return found + [("flags", name) for name, p in flags if p >= LEAST_FLAG]


def _p(labels: Labels, head: str, label: str) -> float:
    if head == "complaint":
        return labels.complaint
    if head == "severity":
        return labels.severity[int(label)]
    column: dict[str, float] = getattr(labels, head)
    return column[label]


def _words(
    pieces: list[re.Match[str]], full: Labels, rest: list[Judgement], head: str, label: str
) -> tuple[Word, ...]:
    whole = _odds(_p(full, head, label))
    found = [
        Word(
            piece[0],
            piece.start(),
            piece.end(),
            # Without its only word a text is nothing that could be judged.
            round(whole - (_odds(_p(judged.labels, head, label)) if judged.labels else 0.0), 3),
        )
        for piece, judged in zip(pieces, rest, strict=True)
    ]
    moved = [word for word in found if abs(word.effect) >= LEAST_EFFECT]
    return tuple(sorted(moved, key=lambda word: (-abs(word.effect), word.start))[:SHOWN])


def _odds(p: float) -> float:
    """Natural logarithm."""
    p = min(max(p, EDGE), 1 - EDGE)
    return log(p / (1 - p))
