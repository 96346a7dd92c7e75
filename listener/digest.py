"""What one day brought that woke nobody: a pure function over that day's mentions and alerts.

A command that cron runs, and no hop: it is a read over one day that needs neither a timer, nor
state, nor an agreement between workers, and it can be run again for any day that is still there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from listener.records import Alert, Digest, DigestLine, Issue, Linked, Priority

_STANDING: Final = ("open", "reopened", "acknowledged")
Spans = dict[tuple[str, Issue], list[tuple[datetime, datetime | None]]]


def window(now: datetime, *, at: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The day that ended at the last `at` in `zone`: 23 to 25 hours where clocks change."""
    local = now.astimezone(zone)
    end = datetime.combine(local.date(), at, tzinfo=zone)
    if end > local:
        end = datetime.combine(local.date() - timedelta(days=1), at, tzinfo=zone)
    return datetime.combine(end.date() - timedelta(days=1), at, tzinfo=zone), end


def summarise(
    mentions: Iterable[Linked],
    alerts: Sequence[Alert],
    *,
    start: datetime,
    end: datetime,
    floor: float,
    rivals: Sequence[str] = (),
    examples: int = 3,
) -> Digest:
    """Complaints from `start` up to `end` that no alert covers, by brand and issue.

    `alerts`: every version at hand; the newest of each decides what stands at `end`. `floor`:
    P(complaint) from which a message is a complaint. What is said of a rival alone does not count.
    """
    spans = _spans(alerts)
    evidence = {mention_id for alert in alerts for mention_id in alert.evidence}
    groups: dict[tuple[str, Issue], list[Linked]] = defaultdict(list)
    day = {m.mention.mention_id: m for m in mentions if start <= m.mention.event_time < end}
    for mention_id, linked in day.items():
        alerted = mention_id in evidence or _covered(linked, spans)
        if not alerted and _complains(linked, floor, rivals):
            groups[(_brand(linked, rivals), _issue(linked))].append(linked)
    lines = [_line(*key, group, examples) for key, group in groups.items()]
    standing = [alert for alert in _newest(alerts, end) if alert.state in _STANDING]
    return Digest(
        digest_id=f"digest:{end.date().isoformat()}",
        start=start,
        end=end,
        mentions=len(day),
        complaints=sum(line.count for line in lines),
        lines=tuple(sorted(lines, key=lambda li: (-li.count, li.brand or "", li.issue))),
        open_alerts=_by_priority(standing),
        overdue_alerts=_by_priority([a for a in standing if a.due_at and a.due_at < end]),
    )


def _newest(alerts: Iterable[Alert], end: datetime) -> list[Alert]:
    found: dict[str, Alert] = {}
    for alert in alerts:
        old = found.get(alert.alert_id)
        if alert.opened_at < end and (old is None or alert.version >= old.version):
            found[alert.alert_id] = alert
    return list(found.values())


def _spans(alerts: Iterable[Alert]) -> Spans:
    """When an alert stood, by subject and issue: from each opening to its end, if it has one."""
    ends: dict[tuple[str, int], Alert] = {}
    for alert in alerts:
        old = ends.get((alert.alert_id, alert.cycle))
        if old is None or alert.version >= old.version:
            ends[(alert.alert_id, alert.cycle)] = alert
    found: Spans = defaultdict(list)
    for alert in ends.values():
        found[(alert.subject, alert.issue)].append((alert.opened_at, alert.resolved_at))
    return found


def _covered(linked: Linked, spans: Spans) -> bool:
    at = linked.mention.event_time
    return any(
        opened <= at and (ended is None or at <= ended)
        for opened, ended in spans.get((linked.subject, _issue(linked)), ())
    )


def _complains(linked: Linked, floor: float, rivals: Sequence[str]) -> bool:
    labels, mention = linked.judgement.labels, linked.mention
    if labels is None or mention.from_brand or mention.repost_of is not None:
        return False
    only_rivals = bool(mention.brands) and all(brand in rivals for brand in mention.brands)
    return labels.complaint >= floor and not only_rivals


def _brand(linked: Linked, rivals: Sequence[str]) -> str:
    return next((b for b in linked.mention.brands if b not in rivals), "")


def _issue(linked: Linked) -> Issue:
    return linked.judgement.labels.top_issue if linked.judgement.labels else "none"


def _line(brand: str, issue: Issue, group: list[Linked], examples: int) -> DigestLine:
    worst = sorted(group, key=_pressing)
    links = [linked.mention.uri for linked in worst if linked.mention.uri]
    return DigestLine(
        brand=brand or None, issue=issue, count=len(group), examples=tuple(links[:examples])
    )


def _pressing(linked: Linked) -> tuple[float, str]:
    labels = linked.judgement.labels
    return (-labels.expected_severity if labels else 0.0, linked.mention.mention_id)


def _by_priority(alerts: Iterable[Alert]) -> dict[Priority, int]:
    found: dict[Priority, int] = {}
    for alert in alerts:
        found[alert.priority] = found.get(alert.priority, 0) + 1
    return dict(sorted(found.items()))
