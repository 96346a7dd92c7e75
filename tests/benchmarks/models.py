"""`python -m tests.benchmarks.models`: the runtimes side by side in one run (docs/benchmarks.md).

Needs the extra torch; OpenVINO is measured where it is installed.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer

from listener.demo.story import story
from models.load import PACKAGED, load
from models.pytorch import TorchRuntime
from models.runtime import OnnxRuntime
from models.training.network import served_network
from tests.benchmarks.__main__ import START

TEXTS = 600
ROUNDS = 3
"""The best of so many counts: the machine is shared."""


def main() -> None:
    rows = tokens()
    speeds = {
        "ONNX Runtime int8, one text a run on each core": rate(onnx(), rows),
        "ONNX Runtime int8, one core": rate(onnx(threads=1), rows),
        "torch bf16, batches of 64 of like length": rate(bfloat(), rows),
    }
    if (runtime := openvino()) is not None:
        speeds["OpenVINO, fp32 graph, one text a run"] = rate(runtime, rows)
    base = pipeline()
    speeds["Hugging Face pipeline of RoBERTa-base size, fp32, one text at a time"] = rate(
        lambda part: base(part), texts()[:40], rounds=1
    )
    slowest = min(speeds.values())
    for name, speed in speeds.items():
        print(f"{name}: {speed:.0f} texts/s, {speed / slowest:.0f}×")
    print(f"whole judgement (text to labels): {rate(whole(), texts()):.0f} texts/s")
    alone()


def texts() -> list[str]:
    posts = [json.loads(record.value)["text"] for record in story(start=START)]
    return [f"{text} {n}" for n, text in zip(range(TEXTS), itertools.cycle(posts), strict=False)]


def tokens() -> list[list[int]]:
    found = Tokenizer.from_file(str(PACKAGED / "tokenizer.json"))
    found.no_padding()
    found.enable_truncation(128)
    return [encoded.ids for encoded in found.encode_batch(texts())]


def rate(run: Callable[[Any], Any], rows: list[Any], *, rounds: int = ROUNDS) -> float:
    """Rows a second, the best of the rounds."""
    run(rows[:8])
    best = 0.0
    for _ in range(rounds):
        began = time.perf_counter()
        run(rows)
        best = max(best, len(rows) / (time.perf_counter() - began))
    return best


def onnx(*, threads: int = os.cpu_count() or 1) -> Callable[[Any], Any]:
    return OnnxRuntime(PACKAGED / "model.onnx", threads=threads).forward


def bfloat() -> Callable[[Any], Any]:
    with tempfile.TemporaryDirectory() as folder:
        weights = {
            name: value.bfloat16() if value.is_floating_point() else value
            for name, value in served_network().state_dict().items()
        }
        torch.save(weights, Path(folder) / "model.pt")
        return TorchRuntime(Path(folder) / "model.pt", threads=os.cpu_count() or 1).forward


def openvino() -> Callable[[Any], Any] | None:
    """The fp32 graph: OpenVINO does not take ONNX Runtime's dynamic int8 operators."""
    try:
        engine: Any = importlib.import_module("openvino")
    except ImportError:
        return None
    from models.export import trace
    from models.training.network import new_network

    with tempfile.TemporaryDirectory() as folder:
        trace(new_network().eval(), Path(folder) / "model.onnx")
        model = engine.Core().compile_model(
            str(Path(folder) / "model.onnx"), "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"}
        )

    def run(rows: list[list[int]]) -> None:
        queue = engine.AsyncInferQueue(model, os.cpu_count() or 1)
        for row in rows:
            ids = np.array([row], dtype=np.int64)
            queue.start_async({"input_ids": ids, "attention_mask": np.ones_like(ids)})
        queue.wait_all()

    return run


def pipeline() -> Callable[[Any], Any]:
    """What one would reach for first; its weights are random, which costs the same."""
    hub: Any = transformers
    config = hub.RobertaConfig(num_labels=3, max_position_embeddings=514)
    words = hub.PreTrainedTokenizerFast(
        tokenizer_file=str(PACKAGED / "tokenizer.json"), pad_token="[PAD]", model_max_length=128
    )
    model = hub.RobertaForSequenceClassification(config).eval()
    judge = hub.pipeline("text-classification", model=model, tokenizer=words)
    return lambda part: [judge(text) for text in part]


def whole() -> Callable[[Any], Any]:
    judge = load(threads=os.cpu_count() or 1)

    def run(part: list[str]) -> None:
        judge._cache.clear()
        judge.judge(part, ["en"] * len(part))

    return run


def alone() -> None:
    """Load time and resident memory of a process that only judges."""
    program = (
        "import time, os; from pathlib import Path; t = time.perf_counter()\n"
        "from models.load import load; m = load(threads=2); m.judge(['a text'], ['en'])\n"
        "pages = int(Path('/proc/self/statm').read_text().split()[1])\n"
        "print(f'load {time.perf_counter() - t:.2f} s with imports, '\n"
        "      f'{pages * os.sysconf(\"SC_PAGE_SIZE\") // 2**20} MB resident')"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    weight = sum(path.stat().st_size for path in PACKAGED.iterdir()) / 1e6
    print(f"packaged weights: {weight:.1f} MB")


if __name__ == "__main__":
    main()
