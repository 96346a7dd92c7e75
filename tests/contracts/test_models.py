"""What every model behind LISTENER_MODEL keeps to, whatever runs it."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from listener.errors import ModelError
from listener.records import Labels
from models.classifier import Classifier
from models.load import PACKAGED, load

TEXTS = ["my order never came", "love it", "is it open on sunday?", "why " * 300, "😡", "x"]
TOLERANCE = {"onnx": 0.0, "torch": 0.05, "hugging face": 0.001}
"""How much a probability may depend on the company of its text."""


def need_torch() -> None:
    if "LISTENER_CI" not in os.environ:
        pytest.importorskip("torch", reason="pip install 'listener[torch]' to test these runtimes")


def torch_folder(to: Path) -> Path:
    """As `listener model export --weights torch` writes it, but never trained."""
    import torch

    from models.training.network import served_network

    torch.manual_seed(7)
    weights = {
        name: value.bfloat16() if value.is_floating_point() else value
        for name, value in served_network().state_dict().items()
    }
    torch.save(weights, to / "model.pt")
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(PACKAGED / name, to / name)
    return to


def tiny_hub_model(to: Path) -> Path:
    """A sequence classifier of two layers, saved as the Hugging Face library does."""
    import torch
    import transformers

    hub: Any = transformers  # half of it has no types
    torch.manual_seed(7)
    names = {0: "NEGATIVE", 1: "NEUTRAL", 2: "POSITIVE"}
    config = hub.BertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        id2label=names,
        label2id={name: index for index, name in names.items()},
    )
    hub.BertForSequenceClassification(config).save_pretrained(to)
    tokens = hub.PreTrainedTokenizerFast(
        tokenizer_file=str(PACKAGED / "tokenizer.json"), pad_token="[PAD]", model_max_length=128
    )
    tokens.save_pretrained(to)
    return to


SENTIMENT = {
    "NEGATIVE": "sentiment.neg",
    "NEUTRAL": "sentiment.neu",
    "POSITIVE": "sentiment.pos",
}


@pytest.fixture(scope="module", params=["onnx", "torch", "hugging face"])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param != "onnx":
        need_torch()
    return str(request.param)


@pytest.fixture(scope="module")
def model(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    folder = tmp_path_factory.mktemp("model")
    if kind == "torch":
        return load(str(torch_folder(folder)), threads=1)
    if kind == "hugging face":
        return load(f"hf:{tiny_hub_model(folder)}", threads=1, labels=SENTIMENT)
    return load(threads=1)


def numbers(labels: Labels) -> list[float]:
    return [
        *labels.sentiment.values(),
        *labels.severity,
        *labels.issue.values(),
        *labels.flags.values(),
        labels.complaint,
    ]


def test_every_text_has_a_judgement_in_order_and_distributions_are_whole(model: Classifier) -> None:
    found = model.judge(TEXTS, ["en"] * len(TEXTS))
    assert len(found) == len(TEXTS)
    for judgement in found:
        assert judgement.labels is not None
        assert judgement.model == model.model
        assert all(0 <= p <= 1 for p in numbers(judgement.labels))
        for whole in (judgement.labels.sentiment, judgement.labels.issue):
            assert sum(whole.values()) == pytest.approx(1, abs=0.01)
        assert sum(judgement.labels.severity) == pytest.approx(1, abs=0.01)


def test_company_and_order_of_the_texts_make_no_difference(model: Classifier, kind: str) -> None:
    """A kill cuts batches otherwise; what follows from a judgement must stay the same."""
    together = {
        text: judgement.labels
        for text, judgement in zip(TEXTS, model.judge(TEXTS, ["en"] * 6), strict=True)
    }
    for text in reversed(TEXTS):
        model._cache.clear()
        (alone,) = model.judge([text], ["en"])
        assert alone.labels is not None and together[text] is not None
        assert numbers(alone.labels) == pytest.approx(
            numbers(together[text] or alone.labels), abs=TOLERANCE[kind]
        )


def test_what_it_does_not_read_it_does_not_judge(model: Classifier) -> None:
    found = model.judge(["", "\u200b", "Die App stürzt ab"], ["en", None, "de"])
    assert [judgement.labels for judgement in found] == [None] * 3
    assert all("sentiment" in judgement.unsure for judgement in found)


def test_heads_that_a_hub_model_lacks_are_unsure_and_alert_nobody(tmp_path: Path) -> None:
    need_torch()
    model = load(f"hf:{tiny_hub_model(tmp_path)}", threads=1, labels=SENTIMENT)
    (judgement,) = model.judge(["I will sue you"], ["en"])
    assert judgement.labels is not None
    assert set(judgement.unsure) >= {"complaint", "severity", "issue", "flags"}
    assert judgement.labels.complaint == 0
    assert set(judgement.labels.flags.values()) == {0.0}


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({}, "model.labels"),
        ({"ANGRY": "sentiment.neg"}, r"model.labels.ANGRY: .*'NEGATIVE'"),
        ({"NEGATIVE": "mood.bad"}, r"model.labels.NEGATIVE=mood.bad: .* sentiment.neg"),
    ],
)
def test_a_mapping_that_does_not_fit_names_key_value_and_choices(
    tmp_path: Path, labels: dict[str, str], told: str
) -> None:
    need_torch()
    with pytest.raises(ModelError, match=told):
        load(f"hf:{tiny_hub_model(tmp_path)}", threads=1, labels=labels)


def test_a_hub_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    need_torch()
    with pytest.raises(ModelError, match="LISTENER_MODEL=hf:"):
        load(f"hf:{tmp_path / 'none'}", threads=1, labels=SENTIMENT)
