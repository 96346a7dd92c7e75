"""From what a person asks to an action on its topic, with a line in the audit."""

from __future__ import annotations

from uuid import uuid4

import msgspec
from fastapi import HTTPException

from listener.records import Action
from listener.store import FoundAlert
from listener.web.answers import Act
from listener.web.identity import Identity
from listener.web.site import Site, plain


async def act(site: Site, me: Identity, alert_id: str, wish: Act) -> str:
    """Returns the action's id once the broker has it.

    Raises 404 for no such alert, BrokerError where the broker does not take it.
    """
    found = await site.store.alerts.get(alert_id)
    if found is None:
        raise HTTPException(404, f"no alert {alert_id}")
    if site.desk is None:
        raise HTTPException(503, "this page is for reading only")
    action = _action(site, me, found, wish)
    await site.desk.act(action)
    await site.store.note(
        at=site.clock(),
        actor=me.name,
        role=me.role,
        what=wish.kind,
        target=alert_id,
        detail=_detail(wish, action),
    )
    return action.action_id


def _action(site: Site, me: Identity, found: FoundAlert, wish: Act) -> Action:
    return Action(
        action_id=uuid4().hex,
        alert_id=found.alert_id,
        subject=plain(found.record)["subject"],
        kind=wish.kind,
        actor=me.name,
        at=site.clock(),
        note=wish.note,
        assignee=wish.assignee,
        until=wish.until,
        customer_id=wish.customer_id,
    )


def _detail(wish: Act, action: Action) -> str:
    told = wish.model_dump(include={"note", "assignee", "until", "customer_id"}, exclude_none=True)
    return msgspec.json.encode(told | {"action_id": action.action_id}).decode()
