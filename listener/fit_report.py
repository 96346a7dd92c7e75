"""`listener fit report`: the newest signals as a table, as CSV and as a forest plot."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from rich.table import Table

from listener.codec import decode
from listener.errors import InputError, ListenerError
from listener.feed import read_topic
from listener.records import Customer, FitIndex, FitSignal, SubjectStage
from listener.settings import Settings
from listener.topics import CUSTOMERS, FIT_INDEX, FIT_SIGNALS, STAGES, Topic

R = TypeVar("R")
ONBOARDING: Final = timedelta(days=30)
SHOWN: Final = 10
"""Subjects of one list that are printed."""
COLOURS: Final = {"elevated": "#b3261e", "better": "#1e7d34", "typical": "#444444"}


class Report(NamedTuple):
    signals: list[FitSignal]
    indices: list[FitIndex]
    advocates: list[str]
    at_risk: list[str]
    stuck: list[str]
    silent: list[str]
    """Customers in their first thirty days who never wrote."""


async def gather(settings: Settings, segment: str | None) -> Report:
    """What the topics say now, of one segment or of all. Raises InputError where there is none."""
    signals = list((await _newest(settings, FIT_SIGNALS, FitSignal)).values())
    chosen = [s for s in signals if segment in (None, s.segment)]
    if not chosen:
        known = ", ".join(sorted({s.segment for s in signals})) or "none yet"
        raise InputError(f"--segment {segment}: no signal of it; segments with signals: {known}")
    indices = (await _newest(settings, FIT_INDEX, FitIndex)).values()
    people = await _newest(settings, CUSTOMERS, Customer)
    customers = {c.customer_id: c for c in people.values() if segment in (None, c.segment)}
    stages = (await _newest(settings, STAGES, SubjectStage)).values()
    return Report(
        sorted(chosen, key=lambda s: (s.segment, s.dimension, s.band)),
        sorted((i for i in indices if segment in (None, i.segment)), key=lambda i: i.segment),
        *_lists(customers, [s for s in stages if s.customer_id in customers]),
        _silent(customers, {s.customer_id for s in stages}, max(s.at for s in signals)),
    )


def table(report: Report) -> Table:
    """One line a signal."""
    found = Table("segment", "dimension", "tenure", "rate", "90 %", "usual", "n", "heard", "status")
    for s in report.signals:
        interval = f"{100 * s.interval.low:.1f} to {100 * s.interval.high:.1f} %"
        found.add_row(
            s.segment, s.dimension, s.band, f"{100 * s.rate:.1f} %", interval,
            f"{100 * s.pooled:.1f} %", str(s.n), f"{100 * s.coverage:.0f} %", s.status,
        )  # fmt: skip
    return found


def summary(report: Report) -> list[str]:
    """The overall index of each segment, and whom to turn to."""
    lines = []
    for i in report.indices:
        vector = ", ".join(f"{name} {ratio:.2f}×" for name, ratio in i.vector.items())
        cost = f"; {i.cost:g} a customer, {i.adjusted_cost:g} adjusted" if i.cost else ""
        lines.append(f"{i.segment}: index {i.index:.0f} ({vector}){cost}")
    names = {
        "advocates": report.advocates,
        "at risk": report.at_risk,
        "stuck while adopting": report.stuck,
        "silent while adopting": report.silent,
    }
    for name, who in names.items():
        rest = f" and {len(who) - SHOWN} more" if len(who) > SHOWN else ""
        lines.append(f"{name}: {', '.join(who[:SHOWN]) or 'nobody'}{rest}")
    return lines


def write_csv(signals: Sequence[FitSignal], path: Path) -> None:
    names = ["segment", "dimension", "band", "at", "rate", "low", "high", "pooled", "n", "n_eff",
             "coverage", "others", "p_above", "p_below", "censored", "messages", "minutes",
             "reasons", "status"]  # fmt: skip
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(names)
        for s in signals:
            said = {"low": s.interval.low, "high": s.interval.high, "at": s.at.isoformat(),
                    "reasons": " ".join(f"{k}:{v:.2f}" for k, v in s.reasons.items())}  # fmt: skip
            rows.writerow([said.get(name, getattr(s, name, None)) for name in names])


def draw(signals: Sequence[FitSignal], path: Path) -> None:
    """A forest plot: each rate with its interval, and what is usual at that tenure.

    Raises ListenerError without matplotlib (extra `plots`).
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ListenerError(
            f"--png {path}: plots need matplotlib; pip install 'listener[plots]'"
        ) from None
    figure = Figure(figsize=(8, 1 + 0.28 * len(signals)), layout="constrained")
    axes = figure.subplots()
    for y, s in enumerate(signals):
        _line(axes, y, s)
    axes.set_yticks(
        range(len(signals)),
        [f"{s.segment} · {s.dimension} · {s.band}" for s in signals],
        fontsize=7,
    )
    axes.invert_yaxis()
    axes.set_xlabel("events a customer, 90 % credible interval; | : usual at that tenure")
    figure.savefig(path, dpi=120)


def _line(axes: Any, y: int, s: FitSignal) -> None:
    colour = COLOURS.get(s.status, "#bbbbbb")
    axes.hlines(y, s.interval.low, s.interval.high, color=colour)
    axes.plot([s.rate], [y], "o", color=colour, markersize=4)
    axes.plot([s.pooled], [y], "|", color="#000000", markersize=8)


def _lists(
    customers: dict[str, Customer], stages: list[SubjectStage]
) -> tuple[list[str], list[str], list[str]]:
    """Customer ids: advocates, at risk, stuck while adopting."""
    by = {kind: sorted(s.customer_id or "" for s in stages if s.stage == kind)
          for kind in ("advocate", "at_risk")}  # fmt: skip
    stuck = sorted(s.customer_id or "" for s in stages if s.stuck and s.stage == "adopting")
    return by["advocate"], by["at_risk"], stuck


def _silent(customers: dict[str, Customer], heard: set[str | None], now: datetime) -> list[str]:
    new = [c for c in customers.values() if timedelta(0) <= now - c.since < ONBOARDING]
    return sorted(c.customer_id for c in new if c.customer_id not in heard and c.left_at is None)


async def _newest(settings: Settings, topic: Topic, kind: type[R]) -> dict[bytes, R]:
    found: dict[bytes, R] = {}
    for message in await read_topic(settings, topic.name):
        if message.value is None:
            found.pop(message.key, None)
        else:
            found[message.key] = decode(message.value, kind)
    return found
