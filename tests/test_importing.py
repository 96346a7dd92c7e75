"""The directory's commands as a person or a script runs them, without a broker."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from listener.calibrating import load_weights
from listener.customers import Row
from listener.identity.compare import LEVELS
from listener.importing import LINE_EVERY, shown
from tests.people import given, handle, surname


def progress(*, terminal: bool) -> str:
    text = io.StringIO()
    with shown(Console(file=text, force_terminal=terminal, width=80), 1000) as report:
        report(500, Row(500, read=10))
        report(LINE_EVERY, Row(LINE_EVERY, read=250))
    return text.getvalue()


def test_progress_is_lines_where_there_is_no_terminal() -> None:
    """One in a hundred thousand rows: a log is not filled, and nobody waits in the dark."""
    assert progress(terminal=False) == "100,000 customers read, 25% of the file\n"


def test_progress_is_a_bar_on_a_terminal() -> None:
    """How far, and how many."""
    found = progress(terminal=True)
    assert "100,000 customers" in found
    assert "25%" in found
    assert "read," not in found


def calibrate(file: Path, to: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "listener", "customers", "calibrate", str(file), "--to", str(to)],
        env=os.environ, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_weights_from_ones_own_customers(tmp_path: Path) -> None:
    """A file of the CRM gives a file of weights that the worker takes."""
    draw = Random(5)
    lines = []
    for number in range(60):
        first, last = given(draw), surname(draw)
        handles = [f"{net}:{handle(draw, first, last)}" for net in ("mastodon", "bluesky")]
        lines.append(
            json.dumps(
                {"customer_id": f"C{number}", "since": "2026-01-01", "names": [f"{first} {last}"],
                 "handles": handles}
            )
        )  # fmt: skip
    file, weights = tmp_path / "crm.jsonl", tmp_path / "weights.json"
    file.write_text("\n".join(lines), encoding="utf-8")
    done = calibrate(file, weights)
    assert done.returncode == 0, done.stderr
    assert "links from a probability of" in done.stdout
    found = load_weights(weights)
    assert set(found.m) == set(LEVELS)
    assert 0.9 <= found.threshold <= 1


@pytest.mark.parametrize("rows", [0, 5])
def test_too_few_customers_are_refused_with_the_remedy(tmp_path: Path, rows: int) -> None:
    """Weights from a handful would be worse than the packaged ones."""
    file = tmp_path / "crm.csv"
    people = [f"C{n},Ann Stone,2026-01-01,@ann{n},@ann{n}\n" for n in range(rows)]
    file.write_text("id,name,since,mastodon,bluesky\n" + "".join(people), encoding="utf-8")
    done = calibrate(file, tmp_path / "weights.json")
    assert done.returncode != 0
    assert "error:" in done.stderr
    assert "customers" in done.stderr
    assert not (tmp_path / "weights.json").exists()
