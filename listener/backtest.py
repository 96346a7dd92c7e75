"""`listener backtest`: what a policy would have done with past messages. Sends nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from rich.table import Table
from rich.text import Text

from listener import past
from listener.errors import InputError
from listener.escalation import EscalationPolicy
from listener.escalation.routes import ON_CALL, zone
from listener.model import load_model
from listener.policy import Policy
from listener.records import Alert, Linked
from listener.rehearsal import Rehearsal, notices
from listener.settings import Settings

EXAMPLES: Final = 5
EVENING: Final = 22
MORNING: Final = 7
NO_ROUTE: Final = "every sink"

Key = tuple[str, int]
"""Alert id and cycle."""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that only one of the two policies raises."""

    alert_id: str
    opened_at: datetime
    kind: str
    priority: str
    issue: str
    brand: str | None
    reasons: list[str]
    snippet: str | None


class Day(msgspec.Struct, frozen=True, kw_only=True):
    day: str
    route: str
    alerts: int
    current: int
    """Alerts by the current policy."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one policy gives."""

    alerts: int
    priorities: dict[str, int]
    kinds: dict[str, int]
    notices: int
    suppressed: int
    """Alerts that a silence or an incident kept from being told."""
    night_pages: dict[str, int]
    """On-call schedule → P1 and P2 notices between 22 and 7 o'clock of its time zone."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    messages: int
    first: datetime | None
    last: datetime | None
    days: list[Day]
    new: Outcome
    current: Outcome
    gained: int
    lost: int
    changed: int
    """Alerts of both that differ in priority or route."""
    gained_examples: list[Example]
    lost_examples: list[Example]


class Played(msgspec.Struct):
    """One policy's run: each cycle of each alert as it was at last."""

    alerts: dict[Key, Alert]
    notices: int
    suppressed: int
    nights: dict[str, int]


def backtest(
    messages: Sequence[Linked],
    *,
    new: Policy,
    current: Policy,
    progress: Callable[[int], None] = lambda done: None,
) -> Report:
    """`messages` in order of time. `progress` is told how many have been played, of twice as many.
    Same messages and policies, same report."""
    after = _play(messages, new, progress)
    before = _play(messages, current, lambda done: progress(len(messages) + done))
    gained = after.alerts.keys() - before.alerts.keys()
    lost = before.alerts.keys() - after.alerts.keys()
    both = after.alerts.keys() & before.alerts.keys()
    return Report(
        messages=len(messages),
        first=messages[0].mention.observed_at if messages else None,
        last=messages[-1].mention.observed_at if messages else None,
        days=_days(after, before),
        new=_outcome(after),
        current=_outcome(before),
        gained=len(gained),
        lost=len(lost),
        changed=sum(_changed(after.alerts[key], before.alerts[key]) for key in both),
        gained_examples=_examples(after, gained),
        lost_examples=_examples(before, lost),
    )


def _play(messages: Sequence[Linked], policy: Policy, progress: Callable[[int], None]) -> Played:
    rehearsal = Rehearsal(policy)
    for number, linked in enumerate(messages, 1):
        rehearsal.feed(linked)
        progress(number)
    published = rehearsal.published
    told = notices(published)
    return Played(
        alerts={(alert.alert_id, alert.cycle): alert for _, alert in published},
        notices=len(told),
        suppressed=len({(a.alert_id, a.cycle) for _, a in published if a.state == "suppressed"}),
        nights=_nights(told, policy.escalation),
    )


def _nights(told: list[tuple[datetime, Alert]], policy: EscalationPolicy) -> dict[str, int]:
    pages: Counter[str] = Counter()
    for name in policy.schedules:
        pages[name] = 0
    for at, alert in told:
        if alert.priority == "P3" or alert.state not in ("open", "reopened"):
            continue
        for name, timezone in _on_call(alert, policy):
            hour = at.astimezone(zone(timezone)).hour
            pages[name] += hour >= EVENING or hour < MORNING
    return dict(sorted(pages.items()))


def _on_call(alert: Alert, policy: EscalationPolicy) -> list[tuple[str, str]]:
    """The schedules that an alert's step tells, with their time zones; without a route, UTC."""
    route = next((route for route in policy.routes if route.name == alert.route), None)
    if route is None:
        return [(NO_ROUTE, policy.hours.timezone if policy.hours else "UTC")]
    step = route.steps[min(alert.step, len(route.steps) - 1)]
    names = [t.removeprefix(ON_CALL) for t in step.tell if t.startswith(ON_CALL)]
    return [(name, policy.schedules[name].timezone) for name in names]


def _days(after: Played, before: Played) -> list[Day]:
    counts: dict[tuple[str, str], list[int]] = {}
    for side, played in enumerate((after, before)):
        for alert in played.alerts.values():
            place = alert.opened_at.astimezone(UTC).date().isoformat(), alert.route or NO_ROUTE
            counts.setdefault(place, [0, 0])[side] += 1
    return [
        Day(day=day, route=route, alerts=new, current=old)
        for (day, route), (new, old) in sorted(counts.items())
    ]


def _outcome(played: Played) -> Outcome:
    return Outcome(
        alerts=len(played.alerts),
        priorities=_counts(alert.priority for alert in played.alerts.values()),
        kinds=_counts(alert.kind for alert in played.alerts.values()),
        notices=played.notices,
        suppressed=played.suppressed,
        night_pages=played.nights,
    )


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _changed(after: Alert, before: Alert) -> bool:
    return (after.priority, after.route) != (before.priority, before.route)


def _examples(played: Played, keys: Iterable[Key]) -> list[Example]:
    found = sorted((played.alerts[key] for key in keys), key=lambda a: (a.opened_at, a.alert_id))
    return [_example(alert) for alert in found[:EXAMPLES]]


def _example(alert: Alert) -> Example:
    return Example(
        alert_id=alert.alert_id,
        opened_at=alert.opened_at,
        kind=alert.kind,
        priority=alert.priority,
        issue=alert.issue,
        brand=alert.brand,
        reasons=[f"{reason.code} {reason.contribution:.2f}" for reason in alert.reasons],
        snippet=alert.snippet,
    )


def messages_of(
    settings: Settings, policy: Policy, source: str, *, to: str | None, format: str | None
) -> list[Linked]:
    """The messages that `--from` names: a file, else a time. Raises InputError."""
    path = Path(source)
    if path.exists():
        if format is None:
            return past.from_file(path)
        judge = load_model(settings, policy)
        return past.from_raw(path, format=format, policy=policy, judge=judge)
    start = _time(source, "--from", "a file that is there, or a time such as 2026-05-01T00:00Z")
    end = _time(to, "--to", "a time such as 2026-05-02T00:00Z") if to else None
    return past.recorded(settings, start=start, end=end)


def _time(text: str, option: str, remedy: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{option} {text}: neither file nor time; give {remedy}") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def tables(report: Report) -> Iterator[Table | str]:
    """The report for people."""
    yield f"{report.messages} messages, {report.first} to {report.last}"
    yield _totals(report)
    days = Table("day", "route", "alerts", "now", title="Alerts a day and route")
    for day in report.days:
        days.add_row(day.day, day.route, str(day.alerts), str(day.current))
    yield days
    yield f"{report.gained} gained, {report.lost} lost, {report.changed} otherwise ranked or routed"
    for title, examples in (("Gained", report.gained_examples), ("Lost", report.lost_examples)):
        if examples:
            yield _shown(title, examples)


def _totals(report: Report) -> Table:
    table = Table("figure", "new policy", "current policy")
    new, current = report.new, report.current
    table.add_row("alerts", str(new.alerts), str(current.alerts))
    for name in sorted({*new.priorities, *current.priorities}):
        table.add_row(name, str(new.priorities.get(name, 0)), str(current.priorities.get(name, 0)))
    table.add_row("notices", str(new.notices), str(current.notices))
    table.add_row("suppressed", str(new.suppressed), str(current.suppressed))
    for name in sorted({*new.night_pages, *current.night_pages}):
        pages = [str(side.night_pages.get(name, 0)) for side in (new, current)]
        table.add_row(f"pages at night, {name}", *pages)
    return table


def _shown(title: str, examples: list[Example]) -> Table:
    table = Table("opened", "what", "because of", "message", title=title)
    for one in examples:
        what = f"{one.kind} {one.priority} {one.issue}"
        text = Text(one.snippet or "")
        table.add_row(f"{one.opened_at:%Y-%m-%d %H:%M}", what, ", ".join(one.reasons), text)
    return table
