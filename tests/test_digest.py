"""What did not alert, counted once and for the right day."""

import asyncio
import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiokafka import AIOKafkaProducer

from listener.codec import encode
from listener.digest import summarise, window
from listener.policy import load_policy
from listener.records import Alert, Digest, Linked
from listener.reporting import make_digest, send_digest
from listener.topics import ALERTS, LINKED
from tests.alerts import alert
from tests.brokers import broker
from tests.worlds import NOW, labels, linked

START, END = NOW - timedelta(hours=12), NOW + timedelta(hours=12)


def digest(mentions: list[Linked], alerts: list[Alert] | None = None, **more: Any) -> Digest:
    return summarise(mentions, alerts or [], start=START, end=END, floor=0.5, **more)


def test_complaints_without_an_alert_are_counted_by_brand_and_issue() -> None:
    """The most severe are the examples; praise, our own words and rivals do not count."""
    found = digest(
        [
            linked(1, judged=labels(severity=1), uri="https://x.example/1"),
            linked(2, judged=labels(severity=3), uri="https://x.example/2"),
            linked(3, judged=labels(issue="outage")),
            linked(4, judged=labels(complaint=0.1)),
            linked(5, from_brand=True),
            linked(6, brands=("Rival",)),
            linked(7, repost_of="x:1"),
        ],
        rivals=("Rival",),
    )
    assert [(li.brand, li.issue, li.count) for li in found.lines] == [
        ("Acme", "billing", 2),
        ("Acme", "outage", 1),
    ]
    assert found.lines[0].examples == ("https://x.example/2", "https://x.example/1")
    assert (found.mentions, found.complaints) == (7, 3)


def test_what_an_alert_covers_is_not_in_the_digest() -> None:
    """By its evidence, or because its trouble stood open then; after its end it counts again."""
    alerts = [
        alert(evidence=("x:1",), opened_at=NOW - timedelta(hours=1), version=1),
        alert(
            evidence=("x:9",),
            opened_at=NOW - timedelta(hours=1),
            resolved_at=NOW + timedelta(hours=1),
            state="resolved",
            version=2,
        ),
    ]
    mentions = [
        linked(1, at=NOW - timedelta(hours=2)),
        linked(2, at=NOW),
        linked(3, at=NOW + timedelta(hours=2)),
        linked(4, at=NOW, judged=labels(issue="outage")),
    ]
    assert sum(li.count for li in digest(mentions, alerts).lines) == 2


def test_each_message_counts_once_and_on_one_day() -> None:
    """However often it is on the topic; the end belongs to the next day."""
    mentions = [linked(1), linked(1), linked(2, at=START), linked(3, at=END)]
    assert digest(mentions).complaints == 2


def test_open_and_overdue_alerts_are_told_by_priority() -> None:
    """The newest version decides."""
    due = END - timedelta(hours=1)
    alerts = [
        alert("a1", priority="P1", due_at=due),
        alert("a2", priority="P1", due_at=END + timedelta(hours=1)),
        alert("a3", due_at=due),
        alert("a3", due_at=due, state="resolved", version=2),
    ]
    found = digest([], alerts)
    assert (found.open_alerts, found.overdue_alerts) == ({"P1": 2}, {"P1": 1})


def test_a_day_ends_at_its_hour_in_its_zone() -> None:
    """Also where clocks change: then it has 23 hours."""
    berlin = ZoneInfo("Europe/Berlin")
    start, end = window(datetime(2026, 3, 29, 7, tzinfo=UTC), at=time(8), zone=berlin)
    assert end == datetime(2026, 3, 29, 6, tzinfo=UTC)
    assert end.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=23)
    start, end = window(datetime(2026, 5, 4, 5, tzinfo=UTC), at=time(8), zone=berlin)
    assert end == datetime(2026, 5, 3, 6, tzinfo=UTC)


def test_a_digest_is_made_from_the_topics_and_sent_once(tmp_path: Path) -> None:
    """A second run of the command sends nothing again."""
    path, told = tmp_path / "policy.yaml", tmp_path / "digests.jsonl"
    path.write_text(f"receivers: {{f: {{sink: file, path: {told}}}}}\ndigest: {{receivers: [f]}}\n")
    now = datetime.now(UTC)

    async def run() -> Digest:
        with broker("embedded", policy=path) as settings:
            policy = load_policy(path)
            async with AIOKafkaProducer(**settings.kafka) as client:
                end = datetime.combine(now.date(), time(8), tzinfo=UTC)
                end = end if end <= now else end - timedelta(days=1)
                for n in range(3):
                    record = linked(n, at=end - timedelta(minutes=5))
                    await client.send_and_wait(LINKED.name, encode(record), b"k")
                await client.send_and_wait(ALERTS.name, encode(alert(evidence=("x:0",))), b"a1")
            found = await make_digest(settings, policy, now=now)
            for _ in range(2):
                assert await send_digest(settings, policy, found) == []
            return found

    found = asyncio.run(run())
    # The alert has stood open since 2026-05-04 for the same subject and issue.
    assert found.mentions == 3
    assert [json.loads(line)["key"] for line in told.read_text().splitlines()] == [
        f"{found.digest_id}:f"
    ]
