"""`listener model train`: two stages, public data first, then the codebook's own labels."""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from models.labels import HEADS
from models.training.data import Row, full_rows, side_rows
from models.training.network import Network, encoder_folder, new_network

MAX_TOKENS: Final = 96
BINARY: Final = ("complaint", "flags", "emotions", "complaint_public")
WEIGHTS: Final = {
    "severity_public": 0.5,
    "complaint_public": 0.7,
    "emotions": 0.5,
    "irony": 0.3,
    "feelings": 0.3,
    "flags": 4.0,
}
"""Loss weights; the flags' mean over 14 labels is small beside one softmax."""
SMOOTHING: Final = 0.05
"""Of the heads that one reader annotated."""
SPECIAL: Final = 103
"""Highest id of a special token in BERT's vocabulary; it is [MASK]'s."""
AGREEMENT: Final = 1.0
"""Weight of the divergence between two readings of a row."""
HIDDEN_WORDS: Final = 0.1
"""Share of the tokens that each reading does not see."""
HIDDEN_NAMES: Final = 0.5
"""Share of the readings that see `@company` for a name: other brands are to be read as well."""
KEPT: Final = 0.3
"""Share of the first stage's weights in the result (Wortsman et al. 2022): on held-out rows no head
changes by more than chance, and what the tweets taught is not lost."""
AVERAGE: Final = 0.998
"""Decay of the averaged weights, by step."""
SHARES: Final = {"sentiment": 0.62, "emotions": 0.18, "complaint": 0.05, "feelings": 0.02}
"""Of the first stage's samples; irony has half of `feelings`, and the codebook's rows the rest."""
ALONGSIDE: Final = {
    "sentiment": 1.6,
    "emotions": 0.4,
    "complaint": 0.25,
    "feelings": 0.06,
    "irony": 0.06,
}
"""Samples of the public tasks in the second stage, as a share of its annotated rows."""

Report = Callable[[str], None]


class Config(msgspec.Struct, frozen=True):
    """One run. `epochs` are passes over the annotated rows; `public` samples of the first stage."""

    seed: int = 7
    batch: int = 32
    public: int = 200_000
    epochs: int = 8
    rate_public: float = 2e-4
    rate_full: float = 1e-4
    layer_decay: float = 0.9
    """Rate of a layer as a share of the one above it, in the second stage."""
    threads: int = 2
    checkpoint: int = 200
    """Steps between two checkpoints, and two lines of progress."""


def train(data: Path, out: Path, *, config: Config, report: Report) -> Path:
    """Trains into the folder `out` (config, metrics, weights) and returns it. Resumes after the
    last finished stage."""
    _seed(config)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_bytes(msgspec.json.encode(config))
    full, held = full_rows(data)
    sides = side_rows(data)
    run = _Run(out, config, report, balance(full))
    stages = [
        _Stage("public", _public(sides, full, config), config.rate_public, 1.0, False, 0.0),
        _Stage(
            "full",
            _annotated(sides, full, config),
            config.rate_full,
            config.layer_decay,
            True,
            KEPT,
        ),
    ]
    for stage in stages:
        run.stage(stage, held)
    return out


def _seed(config: Config) -> None:
    random.seed(config.seed)
    np.random.seed(config.seed)
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)


def _public(sides: dict[str, list[Row]], full: list[Row], config: Config) -> list[list[Row]]:
    shares = SHARES | {"irony": SHARES["feelings"] / 2}
    batches: list[list[Row]] = []
    for task, share in shares.items():
        batches += _batches(sides[task], count=int(config.public * share), size=config.batch)
    rest = int(config.public * (1 - sum(shares.values())))
    batches += _batches(full, count=rest, size=config.batch)
    random.shuffle(batches)
    return batches


def _annotated(sides: dict[str, list[Row]], full: list[Row], config: Config) -> list[list[Row]]:
    """Public tasks go on, sentiment at more than the same number: without them, what the first
    stage taught is soon forgotten."""
    batches: list[list[Row]] = []
    for _ in range(config.epochs):
        epoch = _batches(full, count=len(full), size=config.batch)
        for task, share in ALONGSIDE.items():
            epoch += _batches(sides[task], count=int(len(full) * share), size=config.batch)
        random.shuffle(epoch)
        batches += epoch
    return batches


def _batches(rows: list[Row], *, count: int, size: int) -> list[list[Row]]:
    """`count` rows drawn without repeats as far as they go, in batches of like length."""
    drawn: list[Row] = []
    while len(drawn) < count:
        drawn += random.sample(rows, min(len(rows), count - len(drawn)))
    pool = size * 50
    batches = []
    for start in range(0, len(drawn), pool):
        part = sorted(drawn[start : start + pool], key=lambda row: len(row.text))
        batches += [part[i : i + size] for i in range(0, len(part), size)]
    # A batch whose rows lack a head of the others would waste it: one task, one batch.
    return batches


class _Stage(NamedTuple):
    name: str
    batches: list[list[Row]]
    rate: float
    decay: float
    twice: bool
    """Whether fully annotated rows are read twice a step."""
    kept: float
    """Share of the weights before the stage in those after it."""


class _Run:
    def __init__(
        self, out: Path, config: Config, report: Report, balance: dict[str, Tensor]
    ) -> None:
        self.out = out
        self.config = config
        self.report = report
        self.balance = balance
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.network = new_network().to(self.device)
        self.tokens = Tokenizer.from_file(str(encoder_folder() / "tokenizer.json"))
        self.tokens.enable_truncation(MAX_TOKENS)
        self.tokens.enable_padding()

    def stage(self, stage: _Stage, held: list[Row]) -> None:
        path = self.out / f"{stage.name}.pt"
        if path.exists():
            self.network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
            return
        before = copy.deepcopy(self.network.state_dict())
        average = self._fit(stage)
        for name, value in average.items():
            if value.is_floating_point():
                value.lerp_(before[name], stage.kept)
        self.network.load_state_dict(average)
        torch.save({name: value.cpu() for name, value in average.items()}, path)
        (self.out / f"{stage.name}.part.pt").unlink(missing_ok=True)
        self._note({"stage": stage.name} | measure(self.network, self.tokens, held))

    def _fit(self, stage: _Stage) -> dict[str, Tensor]:
        total = len(stage.batches)
        optimiser = torch.optim.AdamW(
            _groups(self.network, stage.rate, stage.decay),
            lr=stage.rate,
            weight_decay=0.01,
            fused=True,
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser,
            max_lr=[group["lr"] for group in optimiser.param_groups],
            total_steps=total,
            pct_start=0.08,
            anneal_strategy="linear",
        )
        average = copy.deepcopy(self.network.state_dict())
        kept = _Checkpoint(
            self.out / f"{stage.name}.part.pt", self.network, optimiser, schedule, average
        )
        done = kept.load()
        began = time.perf_counter()
        self.network.train()
        for step, batch in enumerate(stage.batches[done:], done + 1):
            loss = self._step(stage, batch, optimiser)
            schedule.step()
            _blend(average, self.network, step)
            if step % self.config.checkpoint == 0:
                kept.save(step)
                pace = (time.perf_counter() - began) / (step - done)
                left = pace * (total - step) / 60
                self.report(f"{stage.name} {step}/{total} loss {loss:.3f}, {left:.1f} min left")
        return average

    def _step(self, stage: _Stage, batch: list[Row], optimiser: torch.optim.Optimizer) -> float:
        loss = self._loss_of(batch, twice=stage.twice and "flags" in batch[0].targets)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it so
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        optimiser.step()
        return float(loss.detach())

    def _loss_of(self, batch: list[Row], *, twice: bool) -> Tensor:
        """Of one reading, or of two with other words hidden and their divergence (R-Drop, Liang et
        al. 2021): there are few rows with every label."""
        rows = batch * 2 if twice else batch
        ids, mask = encode(self.tokens, [_seen(row) for row in rows])
        if twice:
            ids = _with_hidden_words(ids)
        heads = tuple(h for h in rows[0].targets if all(h in row.targets for row in rows))
        with torch.autocast(self.device, torch.bfloat16):
            logits = self.network(ids.to(self.device), mask.to(self.device), heads)
        losses = []
        # Losses are a thousandth of the work: they stay on the CPU, wherever the network is.
        for head, found in zip(heads, (part.float().cpu() for part in logits), strict=True):
            gold = [row.targets[head] for row in rows]
            loss = _loss(head, found, gold, self.balance.get(head))
            if twice:
                loss = loss + AGREEMENT * _divergence(head, *found.chunk(2))
            losses.append(WEIGHTS.get(head, 1.0) * loss)
        return torch.stack(losses).sum()

    def _note(self, figures: dict[str, Any]) -> None:
        with (self.out / "metrics.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(figures) + "\n")
        self.report(json.dumps(figures))


class _Checkpoint:
    """All that a stage needs to go on where it was killed; its batches follow from the seed."""

    def __init__(
        self,
        path: Path,
        network: Network,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
        average: dict[str, Tensor],
    ) -> None:
        self._path = path
        self._parts: list[Any] = [network, optimiser, schedule]
        self._average = average

    def load(self) -> int:
        """Steps that are done already."""
        if not self._path.exists():
            return 0
        found = torch.load(self._path, weights_only=True, map_location="cpu")
        for part, state in zip(self._parts, found["parts"], strict=True):
            part.load_state_dict(state)
        for name, value in found["average"].items():
            self._average[name].copy_(value)
        torch.set_rng_state(found["random"])
        return int(found["step"])

    def save(self, step: int) -> None:
        states = [part.state_dict() for part in self._parts]
        fresh = self._path.with_suffix(".new")
        found = {"step": step, "parts": states, "average": self._average}
        torch.save(found | {"random": torch.get_rng_state()}, fresh)
        fresh.replace(self._path)


def balance(rows: list[Row]) -> dict[str, Tensor]:
    """Weights by class, (k,): softmax heads by n^-½ with mean 1 over the rows, and for flags what a
    positive row weighs, √(negatives / positives) up to 4. Half of full balance: rare classes are
    learned, and probabilities stay near their shares (calibration does the rest)."""
    found: dict[str, Tensor] = {}
    for head in ("severity", "issue"):
        counts = np.bincount([int(str(row.targets[head])) for row in rows], minlength=HEADS[head])
        weights = 1 / np.sqrt(np.maximum(counts, 1))
        found[head] = torch.tensor(weights * counts.sum() / (weights * counts).sum()).float()
    flags = np.array([row.targets["flags"] for row in rows]).sum(axis=0)
    found["flags"] = torch.tensor(np.clip(np.sqrt((len(rows) - flags) / flags), 1, 4)).float()
    return found


def _groups(network: Network, rate: float, decay: float) -> list[dict[str, Any]]:
    """Fresh heads learn faster than what they stand on, upper layers than lower ones."""
    layers = list(network.encoder.encoder.layer)
    lowest = [p for p in network.encoder.embeddings.parameters() if p.requires_grad]
    return [
        {"params": list(network.heads.parameters()), "lr": rate * 5},
        *(
            {"params": list(layer.parameters()), "lr": rate * decay**depth}
            for depth, layer in enumerate(reversed(layers))
        ),
        {"params": lowest, "lr": rate * decay ** len(layers)},
    ]


def _blend(average: dict[str, Tensor], network: Network, step: int) -> None:
    keep = min(AVERAGE, step / (step + 10))
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            average[name].mul_(keep).add_(value, alpha=1 - keep)


def _loss(head: str, logits: Tensor, targets: list[Any], balance: Tensor | None) -> Tensor:
    gold = torch.tensor(targets)
    if head in BINARY:
        return functional.binary_cross_entropy_with_logits(logits, gold, pos_weight=balance)
    smoothing = SMOOTHING if head in HEADS else 0.0
    loss = functional.cross_entropy(logits, gold, weight=balance, label_smoothing=smoothing)
    if head == "severity":
        # Two grades off is worse than one: squared error of the expected grade.
        grades = torch.arange(logits.shape[1], dtype=logits.dtype)
        loss = loss + 0.3 * functional.mse_loss(logits.softmax(1) @ grades, gold.float())
    return loss


def _seen(row: Row) -> str:
    return row.nameless if row.nameless and float(torch.rand(())) < HIDDEN_NAMES else row.text


def _with_hidden_words(ids: Tensor) -> Tensor:
    """[MASK] in place of some tokens that are neither padding nor special."""
    hidden = (torch.rand(ids.shape) < HIDDEN_WORDS) & (ids > SPECIAL)
    return ids.masked_fill(hidden, SPECIAL)


def _divergence(head: str, one: Tensor, other: Tensor) -> Tensor:
    """Symmetric Kullback–Leibler divergence of two readings, mean over the rows."""
    if head in BINARY:
        # Σ (p - q)·(logit p - logit q): the same, of independent labels.
        return ((one.sigmoid() - other.sigmoid()) * (one - other)).mean() / 2
    gap = one.log_softmax(1) - other.log_softmax(1)
    return ((one.softmax(1) - other.softmax(1)) * gap).sum(1).mean() / 2


def encode(tokens: Tokenizer, texts: list[str]) -> tuple[Tensor, Tensor]:
    """Ids and mask, (batch, length of the longest)."""
    found = tokens.encode_batch(texts)
    return torch.tensor([e.ids for e in found]), torch.tensor([e.attention_mask for e in found])


def logits_of(
    network: Network, tokens: Tokenizer, texts: list[str], *, size: int = 64
) -> dict[str, np.ndarray[Any, Any]]:
    """Raw logits of the shipped heads, (n, k) each, in fp32."""
    heads = tuple(HEADS)
    network.eval()
    device = next(network.parameters()).device
    parts: list[tuple[Tensor, ...]] = []
    with torch.inference_mode():
        for start in range(0, len(texts), size):
            ids, mask = encode(tokens, texts[start : start + size])
            logits = network(ids.to(device), mask.to(device), heads)
            parts.append(tuple(column.cpu() for column in logits))
    return {head: torch.cat([p[i] for p in parts]).numpy() for i, head in enumerate(heads)}


def measure(network: Network, tokens: Tokenizer, held: list[Row]) -> dict[str, float]:
    """Accuracy of each head on the held-out rows, to follow a run."""
    logits = logits_of(network, tokens, [row.text for row in held])
    return {head: round(_accuracy(head, found, held), 4) for head, found in logits.items()}


def _accuracy(head: str, logits: np.ndarray[Any, Any], held: list[Row]) -> float:
    gold = np.array([row.targets[head] for row in held])
    if head in BINARY:
        return float(((logits > 0) == (gold > 0.5)).mean())
    return float((logits.argmax(1) == gold).mean())


def latest(run: Path) -> Iterator[Path]:
    """The run's finished stages, newest first."""
    yield from (run / f"{name}.pt" for name in ("full", "public") if (run / f"{name}.pt").exists())
