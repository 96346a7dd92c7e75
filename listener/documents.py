"""Writes docs/settings.md, docs/topics.md and docs/metrics.md from the code they describe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry

from listener.metrics import Metrics
from listener.settings import Settings
from listener.topics import TOPICS


def documents() -> dict[str, str]:
    """File name → content."""
    return {
        "settings.md": "\n".join(_settings()) + "\n",
        "topics.md": "\n".join(_topics()) + "\n",
        "metrics.md": "\n".join(_metrics()) + "\n",
    }


def write(folder: Path) -> None:
    for name, content in documents().items():
        (folder / name).write_text(content, encoding="utf-8")


def _settings() -> Iterator[str]:
    yield "# Settings\n\nEnvironment variables of every process.\n"
    yield "| variable | default | what it does |\n|---|---|---|"
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        yield f"| `LISTENER_{name.upper()}` | {default} | {field.description} |"


def _topics() -> Iterator[str]:
    yield "# Topics\n\nRaw topics are in the policy; these are ours.\n"
    yield "| topic | key | cleanup | what is on it |\n|---|---|---|---|"
    for topic in TOPICS:
        yield f"| `{topic.name}` | {topic.key} | {topic.cleanup} | {topic.help} |"


def _metrics() -> Iterator[str]:
    yield "# Metrics\n\nAt /metrics of each worker.\n"
    yield "| metric | kind | what it says |\n|---|---|---|"
    for metric in Metrics(CollectorRegistry()).registry.collect():
        name = metric.name + ("_total" if metric.type == "counter" else "")
        yield f"| `{name}` | {metric.type} | {metric.documentation} |"
