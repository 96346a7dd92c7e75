"""One ticket an alert, whatever is repeated or lost."""

from collections.abc import Iterator

import pytest

from listener.errors import DeliveryDelayed
from listener.sinks.zendesk import Zendesk
from tests.alerts import alert
from tests.destinations.server import Server, serving
from tests.destinations.zendesk import EMAIL, TOKEN
from tests.destinations.zendesk import Zendesk as World


@pytest.fixture
def desk() -> Iterator[tuple[World, Server]]:
    world = World()
    with serving(world) as server:
        yield world, server


def sink_of(server: Server) -> Zendesk:
    return Zendesk(server.url, EMAIL, TOKEN, name="desk", tags=("listener",))


async def test_a_ticket_is_created_commented_and_solved(desk: tuple[World, Server]) -> None:
    """With its priority, by internal notes that the customer never sees."""
    world, server = desk
    sink = sink_of(server)
    ref = await sink.send(alert(priority="P1"), key="k1")
    await sink.send(alert(priority="P1", state="acknowledged"), key="k2", ref=ref)
    await sink.send(alert(priority="P1", state="resolved"), key="k3", ref=ref)
    await sink.close()
    (ticket,) = world.tickets.values()
    assert (ticket["priority"], ticket["status"]) == ("urgent", "solved")
    assert [c["public"] for c in ticket["comments"]] == [False] * 3
    assert ticket["external_id"] == "a1"


async def test_a_repeat_finds_the_ticket(desk: tuple[World, Server]) -> None:
    """Without our knowing its id, as after a kill: no second ticket, no second comment."""
    world, server = desk
    sink = sink_of(server)
    for _ in range(2):
        await sink.send(alert(), key="k1")
    for _ in range(2):
        await sink.send(alert(state="resolved"), key="k2")
    await sink.close()
    (ticket,) = world.tickets.values()
    assert len(ticket["comments"]) == 2
    assert len([tag for tag in ticket["tags"] if tag.startswith("listener-notice-")]) == 1


async def test_a_list_that_lags_makes_no_second_ticket(desk: tuple[World, Server]) -> None:
    """The idempotency key of the create catches it."""
    world, server = desk
    world.hidden = True
    sink = sink_of(server)
    for _ in range(2):
        await sink.send(alert(), key="k1")
    await sink.close()
    assert len(world.tickets) == 1


async def test_what_a_person_changed_meanwhile_is_not_overwritten(
    desk: tuple[World, Server],
) -> None:
    """The update is refused by Zendesk, and tried again on what is there then."""
    world, server = desk
    sink = sink_of(server)
    ref = await sink.send(alert(), key="k1")
    world.meddle = True
    with pytest.raises(DeliveryDelayed):
        await sink.send(alert(state="resolved"), key="k2", ref=ref)
    world.meddle = False
    world.tickets[1]["tags"].append("vip")
    await sink.send(alert(state="resolved"), key="k2", ref=ref)
    await sink.close()
    assert {"vip", "listener"} <= set(world.tickets[1]["tags"])
    assert world.tickets[1]["status"] == "solved"


async def test_a_closed_ticket_is_followed_up(desk: tuple[World, Server]) -> None:
    """It can never be opened again."""
    world, server = desk
    sink = sink_of(server)
    ref = await sink.send(alert(state="resolved"), key="k1")
    world.tickets[1]["status"] = "closed"
    new = await sink.send(alert(state="reopened", cycle=2), key="k2", ref=ref)
    await sink.close()
    assert world.tickets[2]["via_followup_source_id"] == 1
    assert new == "2"


async def test_a_deleted_ticket_is_replaced(desk: tuple[World, Server]) -> None:
    world, server = desk
    sink = sink_of(server)
    ref = await sink.send(alert(), key="k1", ref="99")
    await sink.close()
    assert ref == "1" and len(world.tickets) == 1
