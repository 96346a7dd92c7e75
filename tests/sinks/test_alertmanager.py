"""One alert for each priority, of which one fires."""

from datetime import timedelta

from listener.records import Alert
from listener.sinks.alertmanager import Alertmanager, postable
from tests.alerts import alert
from tests.destinations.alertmanager import Alertmanager as World
from tests.destinations.server import serving
from tests.worlds import NOW


async def play(*alerts: Alert) -> World:
    world = World(NOW)
    with serving(world) as server:
        sink = Alertmanager(f"{server.url}/", name="am", clock=lambda: NOW)
        for each in alerts:
            await sink.send(each, key=each.notice_id)
        await sink.close()
    return world


async def test_a_rise_of_priority_ends_the_old_one() -> None:
    """Nothing that never fired is told, a repeat neither."""
    world = await play(
        alert(priority="P3"),
        alert(priority="P3"),
        alert(priority="P1"),
        alert(priority="P1", state="acknowledged"),
        alert(priority="P1", state="resolved", resolved_at=NOW),
    )
    assert sorted(world.told) == [
        ("a1", "P1", "firing"),
        ("a1", "P1", "resolved"),
        ("a1", "P3", "firing"),
        ("a1", "P3", "resolved"),
    ]


def test_an_alert_stands_until_it_is_resolved_or_its_hold_is_over() -> None:
    """Alertmanager ends what has no end after five minutes."""
    until = NOW + timedelta(days=7)
    found = postable(alert(), {"team": "support"}, now=NOW, until=until)
    ends = {a["labels"]["priority"]: a["endsAt"] for a in found}
    assert ends == {"P1": NOW.isoformat(), "P2": until.isoformat(), "P3": NOW.isoformat()}
    assert all(a["labels"]["team"] == "support" for a in found)


def test_times_are_in_order_however_clocks_run() -> None:
    """Resolved before it was opened, opened in the future: Alertmanager would refuse it."""
    early = alert(state="resolved", opened_at=NOW + timedelta(hours=1))
    late = alert(state="resolved", resolved_at=NOW - timedelta(1))
    for odd in (early, late):
        for each in postable(odd, {}, now=NOW, until=NOW + timedelta(days=7)):
            assert each["startsAt"] <= each["endsAt"]
