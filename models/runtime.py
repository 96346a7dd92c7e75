"""Listener's own network: tokens → runtime → calibrated labels of the codebook."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

import msgspec
import numpy as np
from tokenizers import Tokenizer

from listener.records import Labels, ModelId
from models.calibration import Array, Calibration
from models.labels import FLAGS, ISSUES, SENTIMENTS, SOFTMAX

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
    """Called on the inference thread; blocks. Rows of token ids → logits (n, k) of each head."""

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


class CodebookLabeller:
    """Implements `classifier.Labeller` with every head of the codebook."""

    unjudged: tuple[str, ...] = ()

    def __init__(self, config: ModelConfig, tokens: Tokenizer, runtime: Runtime) -> None:
        self.model = ModelId(name=config.name, version=config.version)
        self.languages = config.languages
        self.bands = config.calibration.bands
        self._calibration = config.calibration
        self._tokens = tokens
        self._tokens.no_padding()
        self._tokens.enable_truncation(config.max_tokens)
        self._runtime = runtime

    def label(self, texts: list[str]) -> list[Labels]:
        rows = [encoded.ids for encoded in self._tokens.encode_batch_fast(texts)]
        return self._calibrated(self._runtime.forward(rows))

    def _calibrated(self, logits: dict[str, Array]) -> list[Labels]:
        calibration = self._calibration
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
