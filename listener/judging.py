"""`listener classify`: texts in, judgements out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import exp
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from listener.errors import InputError
from listener.model import load_model
from listener.policy import load_policy
from listener.records import Judgement
from listener.settings import Settings
from listener.sources.language import LanguageDetector
from models.classifier import Classifier, as_row
from models.explain import Why, explain

CHUNK = 256
SHOWN = 0.05
"""Labels under this probability are not worth a line of a table."""


def judge_text(settings: Settings, text: str, *, out: Console, json: bool, why: bool) -> None:
    """One text: a table, or one line of JSON."""
    classifier = _classifier(settings)
    judgement = _judge(classifier, [text])[0]
    reasons = explain(classifier, text, judgement.lang) if why else []
    if json:
        row = {"text": text} | as_row(judgement) | _why(reasons, wanted=why)
        out.file.write(msgspec.json.encode(row).decode() + "\n")
        return
    out.print(_table(judgement))
    out.print(
        f"language {judgement.lang or 'not clear'}, unsure: {', '.join(judgement.unsure) or '-'}"
    )
    if reasons:
        out.print(_reasons(reasons))


def judge_lines(settings: Settings, source: str, *, why: bool) -> Iterator[str]:
    """JSON lines (`text`, rest kept) or plain lines → JSON lines."""
    classifier = _classifier(settings)
    rows = list(_rows(source))
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        judgements = _judge(classifier, [row["text"] for row in part])
        for row, judgement in zip(part, judgements, strict=True):
            reasons = explain(classifier, row["text"], judgement.lang) if why else []
            line = row | as_row(judgement) | _why(reasons, wanted=why)
            yield msgspec.json.encode(line).decode()


def judge_of(settings: Settings) -> Callable[[list[str]], list[Judgement]]:
    """The model that the settings name: one judgement a text, in order."""
    classifier = _classifier(settings)
    return lambda texts: _judge(classifier, texts)


def _classifier(settings: Settings) -> Classifier:
    return load_model(settings, load_policy(settings.policy))


def _judge(classifier: Classifier, texts: list[str]) -> list[Judgement]:
    languages = LanguageDetector()
    return classifier.judge(texts, [languages.detect(text) for text in texts])


def _rows(source: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_read(source).splitlines(), 1):
        if line.strip():
            yield _row(line, number)


def _row(line: str, number: int) -> dict[str, Any]:
    row: Any = None
    with suppress(msgspec.DecodeError, RecursionError):
        row = msgspec.json.decode(line)
    if not isinstance(row, dict):
        return {"id": str(number), "text": line}
    if not isinstance(row.get("text"), str):
        raise InputError(f"line {number}: no `text`; give JSON lines with a text in each")
    return {"id": str(number)} | row


def _read(source: str) -> str:
    raw = b""
    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise InputError(f"{source}: cannot read ({error.strerror}); give a file or `-`") from None
    return raw.decode("utf-8", "replace")


def _table(judgement: Judgement) -> Table:
    table = Table("label", "value", "probability", title="Judgement")
    labels = judgement.labels
    if labels is None:
        table.add_row("-", "not judged", "")
        return table
    grade = max(range(len(labels.severity)), key=labels.severity.__getitem__)
    table.add_row("sentiment", labels.top_sentiment, _share(max(labels.sentiment.values())))
    table.add_row("complaint", "yes" if labels.complaint >= 0.5 else "no", _share(labels.complaint))
    table.add_row("severity", str(grade), _share(labels.severity[grade]))
    table.add_row("issue", labels.top_issue, _share(max(labels.issue.values())))
    for flag, p in sorted(labels.flags.items(), key=lambda item: -item[1]):
        if p >= SHOWN:
            table.add_row("flag", flag, _share(p))
    return table


def _why(reasons: list[Why], *, wanted: bool) -> dict[str, list[Why]]:
    return {"why": reasons} if wanted else {}


def _reasons(reasons: list[Why]) -> Table:
    """Words with how many times likelier each makes the label; below 1, less likely."""
    table = Table("label", "probability", "because of", title="Why: odds that each word brings")
    for reason in reasons:
        words = Text()
        for word in reason.words:
            colour = "red" if word.effect > 0 else "cyan"
            words.append(word.text, style=f"bold {colour}")
            words.append(f" ×{exp(word.effect):.1f}  ")
        table.add_row(f"{reason.head} {reason.label}", _share(reason.p), words)
    return table


def _share(p: float) -> str:
    return f"{100 * p:.0f} %"
