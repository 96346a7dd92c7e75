"""A reason is what a label loses without a word."""

from collections.abc import Sequence
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from listener.records import Judgement, ModelId
from models.classifier import Classifier
from models.explain import PIECES, explain
from models.load import load
from tests.worlds import labels

MODEL = ModelId(name="t", version="1")


class Finder:
    """Complains of `broken` only, reads English only."""

    def __init__(self) -> None:
        self.asked = 0

    def judge(self, texts: Sequence[str], langs: Sequence[str | None]) -> list[Judgement]:
        self.asked += len(texts)
        return [
            Judgement(
                labels=labels(complaint=0.9 if "broken" in text else 0.2) if lang == "en" else None,
                model=MODEL,
            )
            for text, lang in zip(texts, langs, strict=True)
        ]


def test_the_word_that_makes_the_complaint_is_named_with_its_place_and_effect() -> None:
    text = "my phone is broken , folks"
    found = {why.head: why for why in explain(Finder(), text, "en")}
    word = found["complaint"].words[0]
    assert (word.text, text[word.start : word.end], word.effect) == ("broken", "broken", 3.584)
    assert len(found["complaint"].words) == 1


def test_nothing_is_explained_where_nothing_was_judged() -> None:
    assert explain(Finder(), "tout est cassé", "fr") == []


@given(st.integers(0, 400))
def test_the_cost_is_bounded_and_every_word_is_left_out_once(count: int) -> None:
    finder = Finder()
    words = [f"w{n}" for n in range(count)]
    explain(finder, " ".join(words), "en")
    assert finder.asked <= PIECES + 1


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_text_makes_it_raise(text: str) -> None:
    explain(_model(), text, "en")


@cache
def _model() -> Classifier:
    return load(threads=1)


def test_the_packaged_model_names_the_words_that_a_reader_would() -> None:
    found = {
        why.head: [word.text for word in why.words]
        for why in explain(_model(), "my order arrived smashed and nobody answers the phone", "en")
    }
    assert {"smashed", "nobody"} & set(found["complaint"] + found["sentiment"])
