"""torch instead of ONNX Runtime: for a GPU, or where only torch is at hand (extra `torch`)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch

from models.calibration import Array
from models.labels import HEADS
from models.training.network import Network, served_network

BATCH: Final = 64


class TorchRuntime:
    """CUDA where there is one, else the CPU; bf16. Batches of like length, to save padding.

    Sums in bf16 depend a little on the shape of the batch (a few hundredths of a logit), so that
    after a kill a judgement may come out otherwise in its last digits; ONNX Runtime's never does.
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        if self._device == "cpu":
            torch.set_num_threads(threads)
        network: Network = served_network()
        network.load_state_dict(torch.load(path, weights_only=True))
        self._network = network.to(self._device, torch.bfloat16).eval()

    def forward(self, rows: list[list[int]]) -> dict[str, Array]:
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        parts = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        found = [self._run([rows[i] for i in part]) for part in parts]
        back = torch.tensor(order).argsort()
        return {
            head: torch.cat([part[i] for part in found])[back].numpy()
            for i, head in enumerate(HEADS)
        }

    def _run(self, rows: list[list[int]]) -> list[torch.Tensor]:
        ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(r) for r in rows], batch_first=True)
        lengths = torch.tensor([len(row) for row in rows])
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        with torch.inference_mode():
            logits = self._network(ids.to(self._device), mask.to(self._device), tuple(HEADS))
        return [column.float().cpu() for column in logits]
