"""Any Hugging Face sequence classifier, its labels mapped to the codebook's (extra `torch`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import torch

from listener.errors import ModelError
from listener.records import Labels, ModelId
from models.classifier import IGNORANT, Bands
from models.labels import FLAGS, GRADES, HEADS, ISSUES, SENTIMENTS

BATCH: Final = 32
MAX_TOKENS: Final = 256

CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "sentiment": SENTIMENTS,
    "complaint": ("yes",),
    "severity": tuple(str(grade) for grade in range(GRADES)),
    "issue": ISSUES,
    "flags": FLAGS,
}
UNMAPPED: Final = msgspec.structs.replace(
    IGNORANT, complaint=0.0, severity=(1.0, 0.0, 0.0, 0.0, 0.0), flags=dict.fromkeys(FLAGS, 0.0)
)
"""What a model that has no such head says: nothing that anyone would be alerted to."""

Places = list[tuple[int, str, str]]
"""(index of the model's label, head, class) of each mapped label."""


class HubLabeller:
    """Implements `classifier.Labeller` for a folder or a hub id.

    `labels`: the model's label → `head.class` (`sentiment.neg`, `complaint.yes`, `flags.churn`).
    Probabilities are the model's own, not calibrated; of a softmax head the mapped classes are
    scaled to sum to 1. Nothing is downloaded unless the hub is allowed (HF_HUB_OFFLINE unset).
    """

    bands = Bands()

    def __init__(
        self, name: str, *, labels: Mapping[str, str], languages: tuple[str, ...], threads: int
    ) -> None:
        self.model = ModelId(name=f"hf:{name}", version="1")
        self.languages = languages
        self._tokens, self._network = _load(name)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        if self._device == "cpu":
            torch.set_num_threads(threads)
        self._network.to(self._device).eval()
        self._places = _places(labels, self._network.config.label2id, name)
        heads = {head for _, head, _ in self._places}
        self.unjudged = tuple(head for head in HEADS if head not in heads)

    def label(self, texts: list[str]) -> list[Labels]:
        found: list[list[float]] = []
        for start in range(0, len(texts), BATCH):
            batch = self._tokens(
                texts[start : start + BATCH],
                padding=True,
                truncation=True,
                max_length=min(MAX_TOKENS, self._tokens.model_max_length),
                return_tensors="pt",
            ).to(self._device)
            # Not as a decorator: where torch is not installed, that would leave this untyped.
            with torch.inference_mode():
                logits = self._network(**batch).logits.float()
            found += self._probabilities(logits).tolist()
        return [self._labels(row) for row in found]

    def _probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        several = self._network.config.problem_type == "multi_label_classification"
        return logits.sigmoid() if several or logits.shape[1] == 1 else logits.softmax(1)

    def _labels(self, row: list[float]) -> Labels:
        found: dict[str, dict[str, float]] = {}
        for index, head, name in self._places:
            column = found.setdefault(head, {})
            column[name] = column.get(name, 0.0) + row[index]
        changes: dict[str, Any] = {
            head: _whole(column, CLASSES[head])
            for head, column in found.items()
            if head in ("sentiment", "issue", "severity")
        }
        if "severity" in changes:
            changes["severity"] = tuple(changes["severity"].values())
        if "complaint" in found:
            changes["complaint"] = round(min(found["complaint"]["yes"], 1.0), 4)
        if "flags" in found:
            flags = {name: round(min(p, 1.0), 4) for name, p in found["flags"].items()}
            changes["flags"] = UNMAPPED.flags | flags
        return msgspec.structs.replace(UNMAPPED, **changes)


def _whole(column: dict[str, float], classes: tuple[str, ...]) -> dict[str, float]:
    total = sum(column.values()) or 1.0
    return {name: round(column.get(name, 0.0) / total, 4) for name in classes}


def _places(labels: Mapping[str, str], ids: Mapping[str, int], model: str) -> Places:
    if not labels:
        raise ModelError(
            f"LISTENER_MODEL=hf:{model} has labels {sorted(ids)}, but the policy maps none; add "
            "model.labels, for example `NEGATIVE: sentiment.neg`"
        )
    return [_place(name, target, ids, model) for name, target in labels.items()]


def _place(name: str, target: str, ids: Mapping[str, int], model: str) -> tuple[int, str, str]:
    head, _, label = target.partition(".")
    if name not in ids:
        raise ModelError(
            f"policy model.labels.{name}: hf:{model} has no such label; one of {sorted(ids)}"
        )
    if label not in CLASSES.get(head, ()):
        known = ", ".join(f"{h}.{'|'.join(c)}" for h, c in CLASSES.items())
        raise ModelError(f"policy model.labels.{name}={target}: no such class; one of {known}")
    return ids[name], head, label


def _load(name: str) -> tuple[Any, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        tokens: Any = AutoTokenizer.from_pretrained(name)
        return tokens, AutoModelForSequenceClassification.from_pretrained(name)
    except Exception as error:  # noqa: BLE001 - the library raises whatever it meets
        reason = str(error).splitlines()[0][:200]
        raise ModelError(
            f"LISTENER_MODEL=hf:{name}: cannot be loaded ({reason}); give a folder of a sequence "
            "classifier, or a hub id that has been downloaded"
        ) from None
