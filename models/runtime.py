"""Judges texts: tokenise → runtime → calibrated labels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from tokenizers import Tokenizer

from listener.errors import ModelError
from listener.records import Judgement, Labels, ModelId
from models.calibration import BAND, SURE, Array, Calibration
from models.labels import FLAGS, HEADS, ISSUES, SENTIMENTS, SOFTMAX
from models.text import prepare

PACKAGED: Final = Path(__file__).parent / "weights" / "listener-minilm"
ALL_UNSURE: Final = tuple(HEADS)
REMEMBERED: Final = 4096
DIGITS: Final = 4


class ModelConfig(msgspec.Struct, frozen=True):
    """`config.json` beside the weights."""

    name: str
    version: str
    max_tokens: int
    languages: tuple[str, ...]
    heads: dict[str, int]
    calibration: Calibration


class Runtime(Protocol):
    """Called on the inference thread; blocks. Rows of token ids → logits (n, k) of each head.

    What a row gives must not depend on the rows that come with it.
    """

    def forward(self, rows: list[list[int]]) -> dict[str, Array]: ...


class OnnxRuntime:
    """ONNX Runtime on the CPU, one text a run, `threads` runs at once.

    Not one batch a run: dynamic int8 scales activations by all that is in a run, so that a text was
    judged differently in other company, and alerts differed after a kill. It is faster, too: no
    padding, and no waiting of threads for each other (docs/benchmarks.md).
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._names = [output.name for output in self._session.get_outputs()]
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="model")

    def forward(self, rows: list[list[int]]) -> dict[str, Array]:
        found = list(self._pool.map(self._run, rows))
        return {name: np.concatenate([f[i] for f in found]) for i, name in enumerate(self._names)}

    def _run(self, row: list[int]) -> list[Array]:
        ids = np.array([row], dtype=np.int64)
        found: list[Array] = self._session.run(
            self._names, {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        )
        return found


class Classifier:
    """Implements `ports.Judge`. Repeated texts are judged once; no text makes it raise."""

    def __init__(self, config: ModelConfig, tokens: Tokenizer, runtime: Runtime) -> None:
        self._config = config
        self._tokens = tokens
        self._tokens.no_padding()
        self._tokens.enable_truncation(config.max_tokens)
        self._runtime = runtime
        self._cache: OrderedDict[str, Labels] = OrderedDict()
        self.model = ModelId(name=config.name, version=config.version)

    def judge(self, texts: Sequence[str], langs: Sequence[str | None]) -> list[Judgement]:
        """One judgement a text, in order. A language that is not served has no labels."""
        served = [self._serves(lang) for lang in langs]
        plain = [prepare(t) if ok else "" for t, ok in zip(texts, served, strict=True)]
        labels = self._labels([text for text in plain if text])
        return [
            self._judgement(labels.get(text), lang) for text, lang in zip(plain, langs, strict=True)
        ]

    def _serves(self, lang: str | None) -> bool:
        return lang is None or lang in self._config.languages

    def _judgement(self, labels: Labels | None, lang: str | None) -> Judgement:
        if labels is None:
            return Judgement(labels=None, unsure=ALL_UNSURE, model=self.model, lang=lang)
        return Judgement(labels=labels, unsure=unsure(labels), model=self.model, lang=lang)

    def _labels(self, texts: list[str]) -> dict[str, Labels]:
        found = {text: self._cache[text] for text in texts if text in self._cache}
        # Longest first: no thread is left alone with the longest at the end.
        fresh = sorted({t for t in texts if t not in found}, key=lambda t: (-len(t), t))
        if fresh:
            rows = [encoded.ids for encoded in self._tokens.encode_batch_fast(fresh)]
            judged = self._calibrated(self._runtime.forward(rows))
            new = dict(zip(fresh, judged, strict=True))
            self._remember(new)
            found |= new
        return found

    def _remember(self, labels: dict[str, Labels]) -> None:
        self._cache.update(labels)
        while len(self._cache) > REMEMBERED:
            self._cache.popitem(last=False)

    def _calibrated(self, logits: dict[str, Array]) -> list[Labels]:
        calibration = self._config.calibration
        soft = {
            head: np.round(calibration.softmax(head, logits[head]), DIGITS).tolist()
            for head in SOFTMAX
        }
        complaint = calibration.independent(logits["complaint"], [calibration.complaint])
        flags = calibration.independent(logits["flags"], [calibration.flags[f] for f in FLAGS])
        return [
            Labels(
                sentiment=dict(zip(SENTIMENTS, soft["sentiment"][i], strict=True)),
                complaint=round(float(complaint[i, 0]), DIGITS),
                severity=tuple(soft["severity"][i]),
                issue=dict(zip(ISSUES, soft["issue"][i], strict=True)),
                flags=dict(zip(FLAGS, np.round(flags[i], DIGITS).tolist(), strict=True)),
            )
            for i in range(len(complaint))
        ]


def unsure(labels: Labels) -> tuple[str, ...]:
    """Heads whose best class, and flags whose yes or no, is not clear."""
    low, high = BAND
    tops = {
        "sentiment": max(labels.sentiment.values()),
        "severity": max(labels.severity),
        "issue": max(labels.issue.values()),
    }
    heads = [head for head, top in tops.items() if top < SURE]
    if low < labels.complaint < high:
        heads.append("complaint")
    return (*heads, *(name for name, p in labels.flags.items() if low < p < high))


def load(spec: str = "packaged", *, threads: int) -> Classifier:
    """The packaged model, or the one in a folder. Raises ModelError."""
    folder = PACKAGED if spec == "packaged" else Path(spec)
    config = _config(folder)
    try:
        tokens = Tokenizer.from_file(str(folder / "tokenizer.json"))
        runtime = OnnxRuntime(folder / "model.onnx", threads=threads)
    except Exception as error:  # noqa: BLE001 - both libraries raise bare Exception
        raise ModelError(
            f"LISTENER_MODEL={spec}: {folder.name} cannot be loaded ({error}); install the package "
            "again, or export the model again"
        ) from None
    return Classifier(config, tokens, runtime)


def _config(folder: Path) -> ModelConfig:
    try:
        config = msgspec.json.decode((folder / "config.json").read_bytes(), type=ModelConfig)
    except OSError:
        raise ModelError(
            f"LISTENER_MODEL={folder}: no config.json there; give `packaged`, or a folder that "
            "`listener model export` wrote"
        ) from None
    except msgspec.DecodeError as error:
        raise ModelError(f"{folder / 'config.json'}: {error}; export the model again") from None
    if config.heads != HEADS:
        raise ModelError(f"{folder}: heads {config.heads} are not the codebook's; train it again")
    return config


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
