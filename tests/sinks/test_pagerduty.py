"""Trigger, acknowledge and resolve under one dedup key."""

import pytest

from listener.records import Alert
from listener.sinks.pagerduty import PagerDuty, event
from tests.alerts import alert
from tests.destinations.pagerduty import KEY
from tests.destinations.pagerduty import PagerDuty as World
from tests.destinations.server import serving


async def play(*alerts: Alert) -> World:
    world = World()
    with serving(world) as server:
        sink = PagerDuty(KEY, name="pager", url=f"{server.url}/v2/enqueue")
        for each in alerts:
            await sink.send(each, key=each.notice_id)
        await sink.close()
    return world


async def test_an_alert_is_one_incident_from_trigger_to_resolve() -> None:
    """And a repeat of any of them changes nothing; a reopened one is a new one."""
    states = ("open", "open", "acknowledged", "acknowledged", "resolved", "resolved", "reopened")
    world = await play(*(alert(state=state) for state in states))
    assert world.incidents == {"a1": ["trigger", "acknowledge", "resolve", "trigger"]}


@pytest.mark.parametrize(
    ("priority", "severity"), [("P1", "critical"), ("P2", "error"), ("P3", "warning")]
)
def test_priority_is_severity(priority: str, severity: str) -> None:
    assert event(alert(priority=priority), KEY)["payload"]["severity"] == severity


def test_only_links_that_a_browser_may_follow() -> None:
    assert event(alert(permalink="https://x.example/1"), KEY)["links"][0]["href"]
    assert "links" not in event(alert(permalink="javascript:alert(1)"), KEY)
