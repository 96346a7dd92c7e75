import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from listener.codec import decode
from listener.demo.story import people, policy_text, story
from listener.errors import InputError
from listener.feed import dead_letters, import_customers, read_topic, replay, replay_letters
from listener.fit_report import gather
from listener.records import Alert, BrandRisk, FitSignal
from listener.settings import Settings
from listener.sources.files import RawRecord
from listener.topics import ALERTS, BRAND_RISK, FIT_SIGNALS
from tests.brokers import Worker, broker
from tests.ledger import Outcome, newest, wait_for, wait_for_directory

START = datetime(2026, 5, 1, tzinfo=UTC)
POISON = [b"hello", b"", b"\xff\xfe", b'{"id": "p"}', b'{"x":' + b"[" * 9000 + b"]" * 9000 + b"}",
          json.dumps({"id": "big", "text": "a" * 1_000_000}).encode()]  # fmt: skip


class Run:
    def __init__(self, settings: Settings, found: Outcome, messages: int, told: Path) -> None:
        self.settings = settings
        self.found = found
        self.messages = messages
        self.told = told


@pytest.fixture(scope="module", params=["embedded", "apache"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The demo's stream with poison between, through a real worker on each broker."""
    folder = tmp_path_factory.mktemp("flow")
    policy = folder / "policy.yaml"
    policy.write_text(policy_text())
    messages = list(story(start=START))
    poison = [RawRecord(b"p", value, messages[0].at) for value in POISON]
    mixed = [*messages[:100], *poison, *messages[100:]]
    with broker(request.param, policy=policy) as settings:
        asyncio.run(import_customers(settings, people(start=START)))
        worker = Worker(settings, LISTENER_ALERTS_FILE=str(folder / "alerts.jsonl"))
        worker.start()
        try:
            wait_for_directory(settings, customers=400)
            # Three days at once, from four partitions: event time decides, however fast it comes.
            asyncio.run(replay(settings, "raw.canonical", mixed, speed=None))
            found = wait_for(settings, inputs=len(mixed), seconds=120)
            _wait_told(folder / "alerts.jsonl", found)
            yield Run(settings, found, len(messages), folder / "alerts.jsonl")
        finally:
            assert worker.stop() == 0


def _told(file: Path) -> list[str]:
    """Keys of the notices that were sent."""
    return [json.loads(line)["key"] for line in file.read_text().splitlines()]


def _wait_told(file: Path, found: Outcome) -> None:
    """Notices go out one by one, behind the alerts: timers open many of them at once."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        told = {key.partition(":")[0] for key in _told(file)}
        if set(found.alerts) - told <= found.untold:
            return
        time.sleep(0.5)


def test_every_input_is_an_output_or_a_dead_letter(run: Run) -> None:
    """Nothing is lost, by id, and poison stops no partition."""
    assert len(run.found.mentions) == run.messages
    assert len(run.found.dead) == len(POISON)
    assert run.found.sent_again == 0


def test_alerts_carry_reasons_and_links(run: Run) -> None:
    """The legal threat is a P1 with its reason, its customer and its evidence."""
    alerts: list[Alert] = list(newest(run.settings, ALERTS.name, Alert).values())
    legal = [a for a in alerts if "hear from my lawyer" in (a.snippet or "")]
    assert [(a.priority, a.link.tier) for a in legal] == [("P1", "T2")]
    assert "legal" in {reason.code for reason in legal[0].reasons}
    assert legal[0].evidence


def test_the_outage_is_found_and_the_rival_is_quiet(run: Run) -> None:
    """Brand risk has the incident of the third evening, and none of the other brand."""
    figures = [
        decode(m.value, BrandRisk) for m in asyncio.run(read_topic(run.settings, BRAND_RISK.name))
    ]
    incidents = {(f.brand, f.incident.started_at) for f in figures if f.incident}
    assert {brand for brand, _ in incidents} == {"Norvia"}
    assert all(at.day == 3 and at.hour in (17, 18, 19) for _, at in incidents)


def test_the_campaign_that_does_not_fit_is_flagged(run: Run) -> None:
    """Customers of spring-promo stand out at their own tenure, the others do not."""
    signals: list[FitSignal] = list(newest(run.settings, FIT_SIGNALS.name, FitSignal).values())
    elevated = {s.segment for s in signals if s.status == "elevated" and s.dimension != "success"}
    assert elevated == {"spring-promo"}


def test_the_report_shows_the_campaign_and_whom_to_turn_to(run: Run) -> None:
    """From the topics alone: the segment's signals, its index, customers new and silent."""
    report = asyncio.run(gather(run.settings, "spring-promo"))
    assert {s.segment for s in report.signals} == {"spring-promo"}
    assert [i.segment for i in report.indices] == ["spring-promo"]
    assert report.indices[0].index < 100
    assert report.silent
    with pytest.raises(InputError, match="segments with signals: .*spring-promo"):
        asyncio.run(gather(run.settings, "nowhere"))


def test_each_notice_is_delivered_once(run: Run) -> None:
    """One line a notice in the alerts file; who never got one was not to."""
    keys = _told(run.told)
    assert len(keys) == len(set(keys))
    told = {key.partition(":")[0] for key in keys}
    assert told <= set(run.found.alerts)
    assert set(run.found.alerts) - told <= run.found.untold


def test_alerts_wait_for_their_group_and_a_p1_does_not(run: Run) -> None:
    """Timers go by the stream's time: three days in seconds, and each alert opened in its time."""
    history: dict[str, list[Alert]] = {}
    for message in asyncio.run(read_topic(run.settings, ALERTS.name)):
        alert = decode(message.value, Alert)
        history.setdefault(alert.alert_id, []).append(alert)
    first = {name: min(a.version for a in alerts) for name, alerts in history.items()}
    assert set(first.values()) == {1}
    for alerts in history.values():
        versions = {a.version: a.state for a in alerts}
        assert versions[1] == "pending"
        if alerts[0].priority == "P1":
            assert versions[2] in ("open", "reopened")


def test_dead_letters_tell_stage_field_and_reason_and_can_be_sent_again(run: Run) -> None:
    """They are readable, masked, and their originals go back to the raw topic whole."""
    letters = asyncio.run(dead_letters(run.settings))
    assert {letter.stage for _, letter in letters} == {"normalise"}
    assert all(letter.error and letter.field.startswith("$") for _, letter in letters)
    sent = asyncio.run(replay_letters(run.settings, letters))
    assert sent == len(letters)
    raw = asyncio.run(read_topic(run.settings, "raw.canonical"))
    assert len(raw) == run.messages + 2 * len(POISON)
