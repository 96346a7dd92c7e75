"""What a policy would have done: counted right, and the same every time."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from listener.backtest import backtest, messages_of
from listener.cli import app
from listener.errors import InputError
from listener.escalation import EscalationPolicy
from listener.escalation.routes import Match, Route, RouteStep, Schedule
from listener.past import dump
from listener.policy import Policy
from listener.records import Linked
from listener.settings import load_settings
from tests.escalation.desk import MILD, WORST, calm
from tests.worlds import NOW, linked

NIGHT = datetime(2026, 5, 4, 23, 30, tzinfo=UTC)
LAW = Route(name="law", match=Match(priority=("P1",)), steps=(RouteStep(tell=("on-call:first",)),))
DESK = Route(name="desk", steps=(RouteStep(tell=("desk",)),))


def messages() -> list[Linked]:
    found = [
        linked(1, judged=MILD),
        linked(2, judged=calm(), at=NOW + timedelta(hours=1)),
        linked(3, judged=WORST, at=NIGHT),
        linked(4, judged=MILD, at=NIGHT + timedelta(days=1)),
    ]
    return [
        msgspec.structs.replace(record, subject=f"x:{number}")
        for number, record in enumerate(found)
    ]


def policy(**changes: object) -> Policy:
    return Policy(escalation=msgspec.structs.replace(EscalationPolicy(), **changes))


def test_alerts_a_day_and_route_gained_lost_and_pages_at_night() -> None:
    """A stricter policy loses the mild ones; the night is that of the schedule's time zone."""
    duty = {
        "first": Schedule(rotation=("ann",), timezone="Europe/Berlin"),
        "other": Schedule(rotation=("bob",), timezone="America/New_York"),
    }
    new = policy(p3=0.9, routes=(LAW, DESK), schedules=duty)
    report = backtest(messages(), new=new, current=policy())
    assert (report.new.alerts, report.current.alerts) == (1, 3)
    assert (report.gained, report.lost, report.changed) == (0, 2, 1)
    assert [(d.day, d.route, d.alerts, d.current) for d in report.days] == [
        ("2026-05-04", "every sink", 0, 2),
        ("2026-05-04", "law", 1, 0),
        ("2026-05-05", "every sink", 0, 1),
    ]
    assert [one.issue for one in report.lost_examples] == ["billing", "billing"]
    assert report.new.night_pages["first"] > 0
    assert report.new.night_pages["other"] < report.new.night_pages["first"]


def test_the_same_again_gives_the_same_report() -> None:
    """Whatever the order of the file."""
    one = backtest(messages(), new=policy(p3=0.4), current=policy())
    assert one == backtest(messages(), new=policy(p3=0.4), current=policy())


def test_the_command_reads_a_file_and_prints_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON for a script, tables for people."""
    monkeypatch.setenv("COLUMNS", "120")
    file, yaml = tmp_path / "linked.jsonl", tmp_path / "new.yaml"
    file.write_bytes(b"\n".join(dump(reversed(messages()))))
    yaml.write_text("escalation: {p3: 0.9}")
    command = ["backtest", "--policy", str(yaml), "--from", str(file)]
    report = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert (report["messages"], report["lost"]) == (4, 2)
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0


@pytest.mark.parametrize("source", ["no-such-file.jsonl", "yesterday"])
def test_what_is_neither_file_nor_time_is_said(source: str) -> None:
    with pytest.raises(InputError, match="neither file nor time"):
        messages_of(load_settings(), Policy(), source, to=None, format=None)


def test_a_line_that_is_no_linked_message_is_named(tmp_path: Path) -> None:
    """With the remedy: raw files need a format."""
    file = tmp_path / "raw.jsonl"
    file.write_text('{"id": "1"}')
    with pytest.raises(InputError, match=r"line 1: .*--format"):
        messages_of(load_settings(), Policy(), str(file), to=None, format=None)


def test_a_raw_file_is_judged_here(tmp_path: Path) -> None:
    """What cannot be read is left out, as the flow does."""
    file = tmp_path / "raw.jsonl"
    good = {"id": "1", "network": "x", "author": {"id": "ann"}, "text": "still no internet"}
    lines = [good | {"created_at": NOW.isoformat()}, {"id": "2"}]
    file.write_text("\n".join(json.dumps(line) for line in lines))
    found = messages_of(load_settings(), Policy(), str(file), to=None, format="canonical")
    assert [m.mention.mention_id for m in found] == ["x:1"]
    assert found[0].judgement.labels is not None
