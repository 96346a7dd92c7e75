import csv
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from listener.errors import ListenerError
from listener.fit_report import Report, draw, summary, table, write_csv
from listener.records import FitIndex, FitSignal, Interval
from tests.worlds import NOW


def signal(segment: str, rate: float) -> FitSignal:
    return FitSignal(
        segment=segment, dimension="mismatch", band="8-30", at=NOW, rate=rate,
        interval=Interval(low=rate - 0.03, high=rate + 0.03), n=300, n_eff=320.0, pooled=0.1,
        p_above=0.99, p_below=0.0, coverage=0.4, status="elevated",
    )  # fmt: skip


SIGNALS = [signal("promo", 0.2), signal("fair", 0.1)]


def test_the_table_and_the_summary_say_what_matters() -> None:
    """Rate, interval, what is usual, status; the index and its vector; who is at risk."""
    index = FitIndex(
        segment="promo", at=NOW, index=84.1, vector={"mismatch": 2.0}, customers=300, cost=10.0,
        adjusted_cost=11.89,
    )  # fmt: skip
    report = Report(SIGNALS, [index], [], ["C1"], [], [f"C{n}" for n in range(12)])
    console = Console(width=160, record=True, file=StringIO())
    console.print(table(report))
    text = console.export_text()
    for expected in ("promo", "20.0 %", "17.0 to 23.0 %", "10.0 %", "elevated"):
        assert expected in text
    lines = summary(report)
    assert lines[0] == "promo: index 84 (mismatch 2.00×); 10 a customer, 11.89 adjusted"
    assert "at risk: C1" in lines
    assert lines[-1].endswith("and 2 more")


def test_csv_and_plot_are_written(tmp_path: Path) -> None:
    """One row a signal; a picture that is one."""
    write_csv(SIGNALS, tmp_path / "fit.csv")
    rows = list(csv.DictReader((tmp_path / "fit.csv").open()))
    assert [(r["segment"], r["rate"], r["low"]) for r in rows][0] == ("promo", "0.2", "0.17")
    pytest.importorskip("matplotlib")
    draw(SIGNALS, tmp_path / "fit.png")
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The rest of the report needs none."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ListenerError, match=r"pip install .listener\[plots\]"):
        draw(SIGNALS, tmp_path / "fit.png")
