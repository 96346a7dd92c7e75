"""Training and export run end to end on a handful of rows, and go on where they were killed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from models.labels import FLAGS, ISSUES
from models.load import load

if "LISTENER_CI" not in os.environ:
    pytest.importorskip("torch", reason="pip install 'listener[torch]' to test the training")


def data_folder(to: Path) -> Path:
    """Forty rows of every file; half of them are complaints of broken things."""
    (to / "train").mkdir(parents=True)
    texts = [("it broke again" if n % 2 else "lovely, thanks") + f" {n}" for n in range(40)]
    full = [
        {
            "id": f"r{n}",
            "text": text,
            "sentiment": "neg" if n % 2 else "pos",
            "complaint": n % 2,
            "severity": (n % 2) * (1 + n % 4),
            "issue": ISSUES[n % len(ISSUES)],
            "flags": [FLAGS[n % len(FLAGS)]],
        }
        for n, text in enumerate(texts)
    ]
    parts: dict[str, list[dict[str, Any]]] = {
        "annotated": full,
        "written": [row | {"id": f"w{row['id']}"} for row in full],
        "sentiment": [{"text": r["text"], "sentiment": r["sentiment"]} for r in full],
        "complaints": [{"text": r["text"], "complaint": r["complaint"]} for r in full],
        "review_severity": [
            {"text": r["text"], "complaint": r["complaint"], "severity": r["severity"]}
            for r in full
        ],
        "emotions": [{"text": r["text"], "emotions": ["joy"]} for r in full],
        "irony_train": [{"text": r["text"], "label": "yes"} for r in full],
        "irony_val": [{"text": r["text"], "label": "no"} for r in full],
        "emotion_train": [{"text": r["text"], "label": "joy"} for r in full],
        "emotion_val": [{"text": r["text"], "label": "anger"} for r in full],
    }
    for name, rows in parts.items():
        lines = "\n".join(json.dumps({"id": str(n)} | row) for n, row in enumerate(rows))
        (to / "train" / f"{name}.jsonl").write_text(lines)
    return to


def own_rows(to: Path) -> Path:
    """A message that we wrote, a label that we gave to a public text, one whose text is gone."""
    to.mkdir()
    judged = {"sentiment": "neg", "complaint": 1, "severity": 2, "issue": "product", "flags": []}
    (to / "written.jsonl").write_text(json.dumps({"id": "o1", "text": "bent again"} | judged))
    lines = [json.dumps({"id": name} | judged) for name in ("3", "gone")]
    (to / "labelled.jsonl").write_text("\n".join(lines))
    return to


def test_labels_that_we_gave_find_their_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the id; the texts of others are not shipped."""
    pytest.importorskip("torch")
    from models.training import data

    monkeypatch.setattr(data, "OWN", own_rows(tmp_path / "own"))
    folder = data_folder(tmp_path / "data")
    found = [row.text for part in data.full_rows(folder) for row in part]
    assert len(found) == 82
    assert sorted(found).count("it broke again 3") == 3


class Killed(Exception):
    pass


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same weights; then they are exported, and judge."""
    import torch

    from models.training import data as rows

    monkeypatch.setattr(rows, "OWN", own_rows(tmp_path / "own"))
    from models.export import export
    from models.training.train import Config, train

    data = data_folder(tmp_path / "data")
    config = Config(batch=8, public=96, epochs=1, threads=1, checkpoint=4)
    whole = train(data, tmp_path / "whole", config=config, report=lambda _: None)

    def kill(line: str) -> None:
        if line.startswith("public 8/"):
            raise Killed

    with pytest.raises(Killed):
        train(data, tmp_path / "killed", config=config, report=kill)
    assert not (tmp_path / "killed" / "public.pt").exists()
    killed = train(data, tmp_path / "killed", config=config, report=lambda _: None)
    one, other = (torch.load(run / "public.pt", weights_only=True) for run in (whole, killed))
    assert all(torch.equal(one[name], other[name]) for name in one)
    lines = (killed / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["stage"] for line in lines] == ["public", "full"]

    out = export(killed, data, tmp_path / "out", name="tiny", version="7")
    assert sorted(path.name for path in out.iterdir()) == [
        "config.json",
        "model.onnx",
        "tokenizer.json",
    ]
    (judgement,) = load(str(out), threads=1).judge(["it broke again"], ["en"])
    assert judgement.labels is not None
    assert (judgement.model.name, judgement.model.version) == ("tiny", "7")
