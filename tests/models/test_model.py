from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.errors import ModelError
from models.classifier import Bands, Classifier
from models.load import load
from models.text import prepare
from tests.worlds import labels

LANGS = st.sampled_from([None, "en", "de"])


@pytest.fixture(scope="module")
def model() -> Classifier:
    return load(threads=1)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.tuples(st.text(max_size=200), LANGS), max_size=6))
def test_no_text_makes_it_raise_and_every_text_has_an_answer(
    texts: list[tuple[str, str | None]],
) -> None:
    """One judgement a text, in order; distributions sum to one."""
    found = load_once().judge([t for t, _ in texts], [lang for _, lang in texts])
    assert len(found) == len(texts)
    for judgement, (_, lang) in zip(found, texts, strict=True):
        assert judgement.lang == lang
        if judgement.labels is not None:
            assert abs(sum(judgement.labels.sentiment.values()) - 1) < 0.01
            assert abs(sum(judgement.labels.severity) - 1) < 0.01
            assert abs(sum(judgement.labels.issue.values()) - 1) < 0.01


_loaded: list[Classifier] = []


def load_once() -> Classifier:
    """Hypothesis may not take a module's fixture."""
    if not _loaded:
        _loaded.append(load(threads=1))
    return _loaded[0]


@pytest.mark.parametrize("text", ["", "   ", "\u200b\u200b", "\x00\x01"])
def test_nothing_to_read_is_not_neutral_with_certainty(model: Classifier, text: str) -> None:
    """No labels, and every head unsure."""
    (judgement,) = model.judge([text], [None])
    assert judgement.labels is None
    assert "sentiment" in judgement.unsure


def test_another_language_is_never_read_as_english(model: Classifier) -> None:
    """`lang`, no labels, unsure."""
    (judgement,) = model.judge(["Die App stürzt ständig ab"], ["de"])
    assert (judgement.labels, judgement.lang) == (None, "de")


def test_long_texts_and_emoji_are_texts(model: Classifier) -> None:
    """10,000 characters are cut, emoji are words."""
    angry, long = model.judge(["😡😡😡🤬", "never again! " * 800], [None, "en"])
    assert angry.labels is not None
    assert angry.labels.top_sentiment == "neg"
    assert long.labels is not None


def test_order_company_and_cache_make_no_difference(model: Classifier) -> None:
    """A text is judged alike alone, in a batch and a second time.

    Alerts after a kill are those of a run without, only because of this."""
    texts = ["refund me now", "love it", "how do I reset the router? it blinks red since yesterday"]
    alone = [load(threads=1).judge([text], ["en"])[0].labels for text in texts]
    batch = [j.labels for j in model.judge(texts[::-1], ["en"] * 3)][::-1]
    again = [j.labels for j in model.judge(texts, ["en"] * 3)]
    assert batch == again
    assert alone == batch


def test_it_has_learnt_what_it_is_for(model: Classifier) -> None:
    """Plain cases, so that a broken export is seen at once."""
    texts = [
        "charged me twice and nobody answers, this is a disgrace, I am cancelling",
        "absolutely love the new router, best service ever, recommend it to everyone!",
        "my lawyer will file a lawsuit against you tomorrow",
    ]
    bad, good, legal = (j.labels for j in model.judge(texts, ["en"] * 3))
    assert bad is not None
    assert good is not None
    assert legal is not None
    assert (bad.top_sentiment, bad.top_issue) == ("neg", "billing")
    assert bad.complaint > 0.9
    assert good.top_sentiment == "pos"
    assert good.flags["advocacy"] > 0.5
    assert legal.flags["legal"] > 0.6


def test_missing_weights_name_the_setting_and_the_remedy(tmp_path: Path) -> None:
    """Never a bare traceback."""
    with pytest.raises(ModelError, match="LISTENER_MODEL=.*listener model export"):
        load(str(tmp_path), threads=1)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="export the model again"):
        load(str(tmp_path), threads=1)


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("@user_0a1b2c3d see https://t.example/x", "@user see http"),
        ("@AskKestrelBank see this", "@Ask Kestrel Bank see this"),
        ("#NotHappy #fail", "Not Happy fail"),
        ("sooooo bad!!!!!", "soo bad!!"),
        ("❤️", "red heart"),
        ("zero\u200bwidth\ttab", "zerowidth tab"),
    ],
)
def test_posts_are_prepared_the_same_in_training_and_service(raw: str, read: str) -> None:
    """Handles and links are tokens, hashtags and emoji are words."""
    assert prepare(raw) == read


def test_what_is_between_yes_and_no_is_unsure() -> None:
    """Abstaining: a flat top, or a probability near the middle."""
    assert Bands().unsure(labels()) == ()
    assert Bands().unsure(labels(negative=0.34, complaint=0.5, legal=0.5)) == (
        "sentiment",
        "complaint",
        "legal",
    )
