"""The figures are those of the project's score.py, whatever the rows are."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.errors import InputError
from listener.records import Judgement, ModelId
from models.evaluation import evaluate, write_card
from models.evaluation.card import BEGIN, END
from models.evaluation.figures import (
    average_precision,
    calibration_error,
    figure,
    macro_f1,
    macro_recall,
)
from models.evaluation.plots import draw
from tests.worlds import labels

CLASSES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(CLASSES)
def test_macro_averages_are_over_the_classes_that_occur(pairs: list[tuple[int, int]]) -> None:
    gold, found = (np.array(column) for column in zip(*pairs, strict=True))
    recalls, scores = [], []
    for label in set(gold.tolist()):
        hits = sum(1 for g, f in pairs if g == f == label)
        true, told = sum(g == label for g, _ in pairs), sum(f == label for _, f in pairs)
        recalls.append(hits / true)
        scores.append(2 * hits / (true + told))
    assert macro_recall(gold, found) == pytest.approx(sum(recalls) / len(recalls))
    assert macro_f1(gold, found) == pytest.approx(sum(scores) / len(scores))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=40))
def test_average_precision_is_one_where_every_true_row_comes_first(
    rows: list[tuple[bool, float]],
) -> None:
    gold = np.array([int(true) for true, _ in rows])
    scores = np.array([p for _, p in rows])
    value = average_precision(gold, scores)
    if not gold.any():
        assert np.isnan(value)
        return
    assert 0 < value <= 1
    assert average_precision(gold, gold.astype(float)) == 1.0


@given(st.floats(0.34, 1.0), st.integers(1, 200), st.floats(0, 1))
def test_calibration_error_is_the_distance_between_sure_and_right(
    sure: float, count: int, share: float
) -> None:
    right = np.arange(count) < share * count
    error = calibration_error(np.full(count, sure), right)
    assert error == pytest.approx(abs(right.mean() - sure))


def test_an_interval_holds_its_value_and_narrows_with_more_rows() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for count in (50, 2000):
        gold = rng.integers(0, 3, count)
        found = np.where(rng.random(count) < 0.8, gold, rng.integers(0, 3, count))
        measured = figure(macro_f1, gold, found)
        assert measured.low <= measured.value <= measured.high
        widths.append(measured.high - measured.low)
    assert widths[1] < widths[0] / 3


def folder(tmp_path: Path) -> Path:
    """Thirty rows of each file; every second one is a complaint that the judge below sees."""
    rows = [
        {
            "id": str(n),
            "text": f"{'broken again' if n % 2 else 'lovely, thanks'} {n}",
            "sentiment": "neg" if n % 2 else "pos",
            "complaint": n % 2,
            "severity": 2 * (n % 2),
            "issue": "product" if n % 2 else "other",
            "flags": ["repeat"] if n % 2 else [],
            "source": "a" if n < 25 else "b",
        }
        for n in range(30)
    ]
    emotions = [{"id": "e", "text": "fine", "emotions": ["joy"]}] * 3
    (tmp_path / "eval").mkdir()
    for name in ("annotated", "sentiment_tweeteval_val", "sentiment_airline"):
        part = (
            rows
            if name == "annotated"
            else [{key: row[key] for key in ("id", "text", "sentiment")} for row in rows]
        )
        text = "\n".join(json.dumps(row) for row in part)
        (tmp_path / "eval" / f"{name}.jsonl").write_text(text)
    (tmp_path / "eval" / "emotions.jsonl").write_text("\n".join(map(json.dumps, emotions)))
    return tmp_path


def judge(texts: list[str]) -> list[Judgement]:
    found = [
        labels(negative=0.9, complaint=0.9, severity=2, issue="product", repeat=0.9)
        if "broken" in text
        else labels(negative=0.05, complaint=0.1, severity=0, issue="other")
        for text in texts
    ]
    return [Judgement(labels=x, model=ModelId(name="t", version="1")) for x in found]


def test_a_card_holds_figures_slices_and_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = evaluate(judge, folder(tmp_path))
    assert found["annotated"].figures["complaint_macro_f1"].value == 1.0
    assert found["annotated"].sizes == {"source a": 25}
    card = tmp_path / "CARD.md"
    card.write_text(f"# Mine\n\n{BEGIN}\nold\n{END}\nkept\n")
    write_card(found, draw(found, tmp_path / "plots"), card)
    text = card.read_text()
    assert text.startswith("# Mine") and text.endswith("kept\n") and "old" not in text
    assert "| complaint_macro_f1 | 1.000 (1.000–1.000) |" in text
    assert "(plots/confusion-issue.png)" in text
    assert (tmp_path / "plots" / "reliability.png").stat().st_size > 5000


def test_missing_files_and_marks_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--data"):
        evaluate(judge, tmp_path)
    (tmp_path / "CARD.md").write_text("no marks")
    with pytest.raises(InputError, match="no marks"):
        write_card({}, [], tmp_path / "CARD.md")
