"""From a training run to a folder that any install can load: ONNX int8, tokenizer, calibration."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer
from torch import nn

from listener.errors import ModelError
from models.calibration import fit
from models.labels import HEADS
from models.pytorch import TorchRuntime
from models.runtime import ModelConfig, OnnxRuntime, Runtime
from models.training.data import Row, full_rows
from models.training.network import SIDE_HEADS, Network, encoder_folder, new_network
from models.training.train import latest

MAX_TOKENS: Final = 128
Kind = Literal["int8", "fp32", "torch"]


class _Served(nn.Module):
    """The network with the shipped heads only."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        return self.network(input_ids, attention_mask, tuple(HEADS))


def export(
    run: Path, data: Path, out: Path, *, name: str, version: str, kind: Kind = "int8"
) -> Path:
    """Writes weights, tokenizer.json and config.json into `out`; calibrates them on the held-out
    rows. `int8` and `fp32` are model.onnx, `torch` is model.pt in bf16. Raises ModelError where the
    run has no finished stage."""
    weights = next(latest(run), None)
    if weights is None:
        raise ModelError(f"{run}: no finished stage; run `listener model train` first")
    network = new_network()
    network.load_state_dict(torch.load(weights, weights_only=True))
    network.eval()
    out.mkdir(parents=True, exist_ok=True)
    runtime = _torch(network, out) if kind == "torch" else _onnx(network, out, kind)
    shutil.copy(encoder_folder() / "tokenizer.json", out / "tokenizer.json")
    _, held = full_rows(data)
    calibration = fit(_logits(out, runtime, held), _gold(held))
    config = ModelConfig(name, version, MAX_TOKENS, ("en",), dict(HEADS), calibration)
    (out / "config.json").write_bytes(msgspec.json.format(msgspec.json.encode(config)))
    return out


def _onnx(network: Network, out: Path, kind: Kind) -> Runtime:
    path = out / "model.onnx"
    trace(network, path)
    if kind == "int8":
        plain = path.replace(out / "plain.onnx")
        # The word embeddings are half of the weights; both they and the products are stored in 8
        # bits, the products' weights by channel.
        quantize_dynamic(plain, path, weight_type=QuantType.QInt8, per_channel=True)
        plain.unlink()
    return OnnxRuntime(path, threads=2)


def _torch(network: Network, out: Path) -> Runtime:
    weights = {
        name: value.to(torch.bfloat16) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
        if not name.startswith(tuple(f"heads.{head}." for head in SIDE_HEADS))
    }
    torch.save(weights, out / "model.pt")
    return TorchRuntime(out / "model.pt", threads=2)


def trace(network: Network, path: Path) -> None:
    ids = torch.ones((2, 8), dtype=torch.int64)
    axes = {0: "batch", 1: "length"}
    with warnings.catch_warnings():
        # The exporter that is to replace this one needs onnxscript, and gives the same graph.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            _Served(network),
            (ids, ids),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=list(HEADS),
            dynamic_axes={"input_ids": axes, "attention_mask": axes}
            | {h: {0: "batch"} for h in HEADS},
            opset_version=17,
            dynamo=False,
        )


def _logits(folder: Path, runtime: Runtime, rows: list[Row]) -> dict[str, np.ndarray[Any, Any]]:
    tokens = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens.no_padding()
    tokens.enable_truncation(MAX_TOKENS)
    return runtime.forward([found.ids for found in tokens.encode_batch([r.text for r in rows])])


def _gold(rows: list[Row]) -> dict[str, np.ndarray[Any, Any]]:
    return {head: np.array([row.targets[head] for row in rows]) for head in HEADS}
