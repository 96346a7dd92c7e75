"""Zendesk's ticketing API, as far as tickets by id and by external id."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec

from tests.destinations.schemas import NewTicketBody, TicketChangeBody
from tests.destinations.server import Answer, Request

EMAIL = "agent@desk.example"
TOKEN = "zendesk-secret-token"
_LOGIN = base64.b64encode(f"{EMAIL}/token:{TOKEN}".encode()).decode()


class Zendesk:
    """`tickets` by id, each with its `comments`. `hidden` keeps new tickets out of the list, as a
    lag would; `meddle` changes a ticket between our look and our update, as a person would."""

    def __init__(self) -> None:
        self.tickets: dict[int, dict[str, Any]] = {}
        self.keys: dict[str, tuple[bytes, int]] = {}
        self.hidden = False
        self.meddle = False
        self._stamp = 0

    def __call__(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Basic {_LOGIN}":
            return _error(401, "Couldn't authenticate you")
        if request.headers.get("accept") != "application/json":
            return _error(406, "Accept: application/json was expected")
        path = request.path.removeprefix("/api/v2/tickets").removesuffix(".json")
        if request.method == "GET" and not path:
            return self._list(request.query["external_id"])
        if request.method == "POST" and not path:
            return self._create(request)
        ticket = self.tickets.get(int(path.strip("/")))
        if ticket is None:
            return _error(404, "RecordNotFound")
        if request.method == "GET":
            found = _ticket(200, ticket)
            if self.meddle:
                self._touch(ticket)
            return found
        return self._change(request, ticket)

    def _list(self, external_id: str) -> Answer:
        found = [t for t in self.tickets.values() if t["external_id"] == external_id]
        body = json.dumps({"tickets": [] if self.hidden else found})
        if self.meddle:
            for ticket in found:
                self._touch(ticket)
        return Answer(200, body)

    def _create(self, request: Request) -> Answer:
        key = request.headers.get("idempotency-key", "")
        if key in self.keys:
            body, number = self.keys[key]
            if body != request.body:
                return _error(400, "IdempotentRequestError")
            return _ticket(201, self.tickets[number])
        try:
            new = msgspec.json.decode(request.body, type=NewTicketBody).ticket
        except msgspec.ValidationError as error:
            return _error(422, str(error))
        number = len(self.tickets) + 1
        ticket = {"id": number} | msgspec.to_builtins(new)
        ticket["comments"] = [ticket.pop("comment")]
        self.tickets[number] = ticket
        self._touch(ticket)
        if key:
            self.keys[key] = (request.body, number)
        return _ticket(201, ticket)

    def _change(self, request: Request, ticket: dict[str, Any]) -> Answer:
        if ticket["status"] == "closed":
            return _error(422, "Status: closed prevents ticket update")
        try:
            change = msgspec.json.decode(request.body, type=TicketChangeBody).ticket
        except msgspec.ValidationError as error:
            return _error(422, str(error))
        if change.safe_update and change.updated_stamp != ticket["updated_at"]:
            return _error(409, "UpdateConflict")
        for name in ("status", "priority", "tags"):
            if (value := getattr(change, name)) is not None:
                ticket[name] = value
        if change.comment is not None:
            ticket["comments"].append(msgspec.to_builtins(change.comment))
        self._touch(ticket)
        return _ticket(200, ticket)

    def _touch(self, ticket: dict[str, Any]) -> None:
        self._stamp += 1
        ticket["updated_at"] = f"2026-05-04T12:00:{self._stamp:02}Z"


def _ticket(status: int, ticket: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps({"ticket": ticket}))


def _error(status: int, reason: str) -> Answer:
    return Answer(status, json.dumps({"error": reason}))
