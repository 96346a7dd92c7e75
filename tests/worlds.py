"""Tiny worlds: records with all that a rule does not ask for filled in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from listener.records import (
    Author,
    Judgement,
    Labels,
    Link,
    Linked,
    Mention,
    ModelId,
    Standing,
)
from models.labels import FLAGS, ISSUES

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
MODEL = ModelId(name="test", version="1")


def labels(
    *,
    negative: float = 0.9,
    complaint: float = 0.9,
    severity: int = 2,
    issue: str = "billing",
    **flags: float,
) -> Labels:
    rest = (1 - negative) / 2
    grades = [0.0] * 5
    grades[severity] = 1.0
    return Labels(
        sentiment={"neg": negative, "neu": rest, "pos": rest},
        complaint=complaint,
        severity=tuple(grades),  # type: ignore[arg-type]  # five of them
        issue={name: float(name == issue) for name in ISSUES},
        flags={name: flags.get(name, 0.0) for name in FLAGS},
    )


def mention(number: int = 1, *, at: datetime = NOW, **changes: Any) -> Mention:
    fields: dict[str, Any] = {
        "mention_id": f"x:{number}",
        "network": "x",
        "author": Author(id="ann", handle="ann"),
        "text": "a text",
        "created_at": at,
        "observed_at": at,
        "event_time": at,
        "brands": ("Acme",),
    }
    return Mention(**(fields | changes))


def linked(
    number: int = 1,
    *,
    judged: Labels | None = None,
    unsure: tuple[str, ...] = (),
    link: Link | None = None,
    standing: Standing | None = None,
    at: datetime = NOW,
    **changes: Any,
) -> Linked:
    return Linked(
        mention=mention(number, at=at, **changes),
        judgement=Judgement(labels=judged or labels(), unsure=unsure, model=MODEL, lang="en"),
        link=link or Link(),
        standing=standing,
        subject="x:ann",
    )
