"""PagerDuty's Events API v2: incidents by dedup key."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tests.destinations.schemas import PagerDutyEvent
from tests.destinations.server import Answer, Request

KEY = "0123456789abcdef0123456789abcdef"


class PagerDuty:
    """`incidents`: dedup key → states that it went through. A trigger of what stands, or an
    acknowledge of what does not, changes nothing, as in the product."""

    def __init__(self) -> None:
        self.incidents: dict[str, list[str]] = {}
        self.triggers: list[dict[str, Any]] = []

    def __call__(self, request: Request) -> Answer:
        try:
            event = msgspec.json.decode(request.body, type=PagerDutyEvent)
        except msgspec.ValidationError as error:
            return _invalid(str(error))
        if event.event_action == "trigger" and event.payload is None:
            return _invalid("'payload' is missing or blank")
        if event.event_action != "trigger" and event.dedup_key is None:
            return _invalid("'dedup_key' is missing or blank")
        if event.routing_key != KEY:
            return _invalid(f"routing_key {event.routing_key} is unknown")
        self._apply(event, request)
        answer = {"status": "success", "message": "Event processed", "dedup_key": event.dedup_key}
        return Answer(202, json.dumps(answer))

    def _apply(self, event: PagerDutyEvent, request: Request) -> None:
        states = self.incidents.get(event.dedup_key or "", [])
        stands = bool(states) and states[-1] != "resolve"
        if event.event_action == "trigger" and not stands:
            self.triggers.append(request.json())
            self.incidents.setdefault(event.dedup_key or "", []).append("trigger")
        elif event.event_action != "trigger" and stands and states[-1] != event.event_action:
            states.append(event.event_action)


def _invalid(reason: str) -> Answer:
    body = {"status": "invalid event", "message": "Event object is invalid", "errors": [reason]}
    return Answer(400, json.dumps(body))
