"""The figures as Markdown, in their place in the model card."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from listener.errors import InputError
from models.evaluation.evaluate import Evaluation, SetFigures

BEGIN: Final = "<!-- figures: written by `listener model evaluate` -->"
END: Final = "<!-- end of figures -->"


def write_card(evaluation: Evaluation, pictures: list[Path], card: Path) -> None:
    """Replaces what is between the marks. Raises InputError where the card has none."""
    try:
        text = card.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{card}: cannot read ({error.strerror}); give the card's path") from None
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{card}: no marks; put the lines `{BEGIN}` and `{END}` into it")
    body = "\n".join(_body(evaluation, pictures, card.parent))
    card.write_text(f"{head}{BEGIN}\n\n{body}\n{END}{tail}", encoding="utf-8")


def _body(evaluation: Evaluation, pictures: list[Path], folder: Path) -> Iterator[str]:
    yield "Value (95 % bootstrap interval over the rows, 1,000 resamples)."
    yield ""
    for name, found in evaluation.items():
        yield from _table(name, found)
        yield from _slices(found)
    for path in pictures:
        yield f"![{path.stem}]({Path(os.path.relpath(path, folder)).as_posix()})"
        yield ""


def _table(name: str, found: SetFigures) -> Iterator[str]:
    yield f"### {name} ({found.rows:,} rows)"
    yield ""
    yield "| figure | value |"
    yield "|---|---|"
    yield from (f"| {key} | {value} |" for key, value in found.figures.items())
    yield ""


def _slices(found: SetFigures) -> Iterator[str]:
    if not found.slices:
        return
    names = [key for key in next(iter(found.slices.values())) if not key.endswith("_ece")]
    yield "| slice | rows | " + " | ".join(names) + " |"
    yield "|---|---|" + "---|" * len(names)
    for name, figures in found.slices.items():
        values = " | ".join(str(figures[key]) for key in names)
        yield f"| {name} | {found.sizes[name]} | {values} |"
    yield ""
