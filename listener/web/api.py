"""The API under /api/v1: alerts, actions, events, and who one is."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from listener.errors import BrokerError
from listener.store import AlertFilter
from listener.web.acting import act
from listener.web.answers import (
    PROBLEMS,
    Act,
    BulkAct,
    Limit,
    Name,
    State,
    Text,
    alert_item,
    answer,
    listed,
    raw,
)
from listener.web.identity import Identity
from listener.web.site import actor, plain, site_of, who
from listener.web.view_inbox import texts_of

MOST_STREAMS = 1000
Me = Annotated[Identity, Depends(who)]
Actor = Annotated[Identity, Depends(actor)]
AlertId = Annotated[Name, Path(description="The alert's id.")]
Cursor = Annotated[Text | None, Query(description="What next said of the page before.")]

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


@router.get("/me", tags=["identity"])
async def me(request: Request, me: Me) -> Response:
    """Who you are, your role, and the token that changes must carry as X-CSRF-Token."""
    return answer(request, {"name": me.name, "role": me.role, "csrf": me.csrf})


@router.get("/inbox", tags=["alerts"])
async def inbox(request: Request, me: Me) -> Response:
    """How many alerts stand, by priority, and how many of them you have not seen."""
    return answer(request, await site_of(request).store.alerts.counts(actor=me.name))


@router.get("/alerts", tags=["alerts"])
async def alerts(
    request: Request,
    me: Me,
    state: State = "standing",
    brand: Text | None = None,
    issue: Text | None = None,
    channel: Text | None = None,
    priority: Text | None = None,
    assignee: Text | None = None,
    receiver: Text | None = None,
    subject: Text | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Alerts by priority and due time; closed ones by their last change."""
    wanted = AlertFilter(
        state=state, brand=brand, issue=issue, channel=channel, priority=priority,
        assignee=assignee, receiver=receiver, subject=subject,
    )  # fmt: skip
    page = await site_of(request).store.alerts.find(
        wanted, actor=me.name, cursor=cursor, limit=limit
    )
    return answer(request, listed(page, [alert_item(found) for found in page.items]))


@router.get("/alerts/{alert_id}", tags=["alerts"])
async def alert(request: Request, me: Me, alert_id: AlertId) -> Response:
    """One alert with the messages behind it and their conversation, oldest first."""
    site = site_of(request)
    found = await site.store.alerts.get(alert_id, actor=me.name)
    if found is None:
        raise HTTPException(404, f"no alert {alert_id}")
    evidence = _evidence(found.record)
    thread = await site.store.mentions.threads(evidence)
    return answer(request, alert_item(found) | {"thread": [raw(record) for record in thread]})


@router.get("/alerts/{alert_id}/why", tags=["alerts"])
async def why(request: Request, me: Me, alert_id: AlertId) -> Response:
    """Which words of its first message moved which label; empty where no model is loaded."""
    site = site_of(request)
    found = await site.store.alerts.get(alert_id)
    if found is None:
        raise HTTPException(404, f"no alert {alert_id}")
    told: list[dict[str, Any]] = []
    first = await site.store.mentions.get(_evidence(found.record)[:1])
    if first and site.explainer is not None:
        text, lang = texts_of(first[0])
        told = await site.explainer.explain(text, lang)
    return answer(request, {"items": told})


@router.post("/alerts/{alert_id}/actions", tags=["alerts"], status_code=202)
async def do(request: Request, me: Actor, alert_id: AlertId, wish: Act) -> Response:
    """Acknowledge, resolve, wrong, assign, silence, link or unlink. 202: the broker has it; the
    alert changes when the worker's answer comes back."""
    action_id = await act(site_of(request), me, alert_id, wish)
    return answer(request, {"action_id": action_id}, status=202)


@router.post("/actions", tags=["alerts"], status_code=202)
async def do_many(request: Request, me: Actor, wish: BulkAct) -> Response:
    """The same for several alerts; `failed` has the reason of each that was not taken."""
    site = site_of(request)
    taken: dict[str, str] = {}
    failed: dict[str, str] = {}
    for alert_id in dict.fromkeys(wish.alert_ids):
        try:
            taken[alert_id] = await act(site, me, alert_id, wish)
        except HTTPException as error:
            failed[alert_id] = str(error.detail)
        except BrokerError:
            failed[alert_id] = "the broker does not answer"
    return answer(request, {"accepted": taken, "failed": failed}, status=202)


@router.post("/alerts/{alert_id}/seen", tags=["alerts"], status_code=204)
async def seen(request: Request, me: Me, alert_id: AlertId) -> Response:
    """Takes the unread mark off, for you."""
    await site_of(request).store.mark_seen(actor=me.name, alert_id=alert_id)
    return Response(status_code=204)


@router.get("/events", tags=["events"], response_class=StreamingResponse)
async def events(
    request: Request,
    me: Me,
    last_event_id: Annotated[str | None, Header(max_length=60)] = None,
) -> StreamingResponse:
    """Server-sent events. `change`: {kind, key} of what is new; `reset`: too long away, read
    everything again. Goes on after Last-Event-ID."""
    site = site_of(request)
    if site.hub.streams >= MOST_STREAMS:
        raise HTTPException(503, f"{MOST_STREAMS} streams are open already")
    stream = site.hub.stream(last_event_id, site.closing)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def _evidence(record: bytes) -> list[str]:
    return list(plain(record).get("evidence") or ())
