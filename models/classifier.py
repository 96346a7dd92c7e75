"""Judges texts: language → text preparation → labels, each text once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from listener.records import Judgement, Labels, ModelId
from models.labels import FLAGS, HEADS, ISSUES, SENTIMENTS
from models.text import prepare

ALL_UNSURE: Final = tuple(HEADS)
REMEMBERED: Final = 4096
"""Texts whose labels are kept: reposts and templates come in crowds."""


class Bands(msgspec.Struct, frozen=True):
    """Where a model abstains."""

    sure: dict[str, float] = {}
    """Softmax head → least probability of its top class that is clear."""
    doubt: dict[str, tuple[float, float]] = {}
    """`complaint` or flag → probabilities between which it is neither yes nor no."""

    def unsure(self, labels: Labels) -> tuple[str, ...]:
        """Heads whose top class, and flags whose yes or no, is not clear."""
        tops = {
            "sentiment": max(labels.sentiment.values()),
            "severity": max(labels.severity),
            "issue": max(labels.issue.values()),
        }
        heads = [head for head, top in tops.items() if top < self.sure.get(head, SURE)]
        yes_or_no = {"complaint": labels.complaint} | labels.flags
        return (*heads, *(name for name, p in yes_or_no.items() if self._doubts(name, p)))

    def _doubts(self, name: str, p: float) -> bool:
        low, high = self.doubt.get(name, DOUBT)
        return low < p < high


SURE: Final = 0.5
DOUBT: Final = (0.35, 0.65)


class Labeller(Protocol):
    """What a model is behind `Classifier`. Blocks; prepared texts that are not empty → labels.

    What a text gives must not depend on the texts that come with it.
    """

    model: ModelId
    languages: tuple[str, ...]
    bands: Bands
    unjudged: tuple[str, ...]
    """Heads that this model does not have: they are always unsure."""

    def label(self, texts: list[str]) -> list[Labels]: ...


class Classifier:
    """Implements `ports.Judge`. Repeated texts are judged once; no text makes it raise."""

    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller
        self._cache: OrderedDict[str, Labels] = OrderedDict()
        self.model = labeller.model

    def judge(self, texts: Sequence[str], langs: Sequence[str | None]) -> list[Judgement]:
        """One judgement a text, in order. A language that is not served has no labels."""
        served = [self._serves(lang) for lang in langs]
        plain = [prepare(t) if ok else "" for t, ok in zip(texts, served, strict=True)]
        labels = self._labels([text for text in plain if text])
        return [
            self._judgement(labels.get(text), lang) for text, lang in zip(plain, langs, strict=True)
        ]

    def _serves(self, lang: str | None) -> bool:
        return lang is None or lang in self._labeller.languages

    def _judgement(self, labels: Labels | None, lang: str | None) -> Judgement:
        if labels is None:
            return Judgement(labels=None, unsure=ALL_UNSURE, model=self.model, lang=lang)
        missing = self._labeller.unjudged
        found = (name for name in self._labeller.bands.unsure(labels) if name not in missing)
        return Judgement(labels=labels, unsure=(*missing, *found), model=self.model, lang=lang)

    def _labels(self, texts: list[str]) -> dict[str, Labels]:
        found = {text: self._cache[text] for text in texts if text in self._cache}
        # Longest first: no thread is left alone with the longest at the end.
        fresh = sorted({t for t in texts if t not in found}, key=lambda t: (-len(t), t))
        if fresh:
            new = dict(zip(fresh, self._labeller.label(fresh), strict=True))
            self._remember(new)
            found |= new
        return found

    def _remember(self, labels: dict[str, Labels]) -> None:
        self._cache.update(labels)
        while len(self._cache) > REMEMBERED:
            self._cache.popitem(last=False)


IGNORANT: Final = Labels(
    sentiment=dict.fromkeys(SENTIMENTS, 1 / len(SENTIMENTS)),
    complaint=0.5,
    severity=(0.2, 0.2, 0.2, 0.2, 0.2),
    issue=dict.fromkeys(ISSUES, 1 / len(ISSUES)),
    flags=dict.fromkeys(FLAGS, 0.5),
)
"""What a row says where nothing was judged: every class alike, and `unsure` names every head."""


def as_row(judgement: Judgement) -> dict[str, Any]:
    """A judgement with the keys that scoring reads, flat."""
    row: dict[str, Any] = msgspec.to_builtins(judgement.labels or IGNORANT)
    return row | {
        "lang": judgement.lang,
        "unsure": list(judgement.unsure),
        "model": f"{judgement.model.name} {judgement.model.version}",
    }
