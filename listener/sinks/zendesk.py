"""Alerts to Zendesk: one ticket an alert, created, commented and solved.

https://developer.zendesk.com/api-reference/ticketing/tickets/tickets: 201 created, 200 updated, 404
no such ticket, 409 somebody else's update came first, 422 a value it does not take, 429 and 503
with Retry-After. The ticket's `external_id` is the alert's id, so that a repeat finds it; its tag
`listener-notice-…` says which notice it was last told, so that a repeat adds no comment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import httpx

from listener.codec import encode
from listener.errors import DeliveryDelayed
from listener.records import Alert, Priority
from listener.sinks.http import Http, json_of, web_url
from listener.sinks.wording import facts, headline, permalink, subject

_PRIORITY: Final[dict[Priority, str]] = {"P1": "urgent", "P2": "high", "P3": "normal"}
_TOLD: Final = "listener-notice-"
_CONFLICT: Final = 409
_NOT_FOUND: Final = 404


class Zendesk:
    """`email` and `token`: an agent's, by which the account knows us."""

    def __init__(
        self,
        url: str,
        email: str,
        token: str,
        *,
        name: str,
        group_id: int | None = None,
        tags: Sequence[str] = (),
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self.name = name
        self._api = web_url(url, where=f"receivers.{name}.url").rstrip("/") + "/api/v2/tickets"
        self._auth = (f"{email}/token", token)
        self._group_id = group_id
        self._tags = tuple(tags)
        self._http = Http(secrets=(token,), client=client)

    async def send(self, alert: Alert, *, key: str, ref: str | None = None) -> str:
        ticket = await self._found(alert, ref)
        if ticket is None or ticket["status"] == "closed":
            return str((await self._create(alert, key, after=ticket))["id"])
        if told(key) not in ticket.get("tags", ()):
            await self._update(alert, key, ticket)
        return str(ticket["id"])

    async def close(self) -> None:
        await self._http.close()

    async def _found(self, alert: Alert, ref: str | None) -> dict[str, Any] | None:
        """The alert's ticket: the one that we know, else the newest of its external id."""
        if ref:
            answer = await self._call("GET", f"/{ref}", takes=(_NOT_FOUND,))
            if answer.is_success:
                ticket: dict[str, Any] = json_of(answer, "Zendesk")["ticket"]
                return ticket
        answer = await self._call("GET", params={"external_id": alert.alert_id})
        tickets = json_of(answer, "Zendesk")["tickets"]
        return max(tickets, key=lambda ticket: int(ticket["id"]), default=None)

    async def _create(
        self, alert: Alert, key: str, *, after: dict[str, Any] | None
    ) -> dict[str, Any]:
        """A closed ticket can never be opened again: a new one follows it."""
        ticket: dict[str, Any] = self._state(alert) | {
            "external_id": alert.alert_id,
            "subject": f"{subject(alert)} ({alert.alert_id})",
            "comment": comment(alert),
            "tags": [*self._tags, told(key)],
        }
        if self._group_id is not None:
            ticket["group_id"] = self._group_id
        if after is not None:
            ticket["via_followup_source_id"] = after["id"]
        body = encode({"ticket": ticket})
        # Zendesk refuses a key that comes again with another body.
        once = hashlib.sha256(key.encode() + body).hexdigest()
        answer = await self._call("POST", body=body, headers={"Idempotency-Key": once})
        created: dict[str, Any] = json_of(answer, "Zendesk")["ticket"]
        return created

    async def _update(self, alert: Alert, key: str, ticket: dict[str, Any]) -> None:
        """Changes nothing that a person has changed since we looked."""
        others = [tag for tag in ticket.get("tags", ()) if not tag.startswith(_TOLD)]
        change = self._state(alert) | {
            "comment": comment(alert),
            "tags": [*others, told(key)],
            "safe_update": True,
            "updated_stamp": ticket["updated_at"],
        }
        body = encode({"ticket": change})
        answer = await self._call("PUT", f"/{ticket['id']}", body=body, takes=(_CONFLICT,))
        if answer.status_code == _CONFLICT:
            raise DeliveryDelayed("Zendesk: somebody changed the ticket meanwhile")

    def _state(self, alert: Alert) -> dict[str, Any]:
        status = "solved" if alert.state == "resolved" else "open"
        return {"status": status, "priority": _PRIORITY[alert.priority]}

    async def _call(
        self,
        method: str,
        path: str = "",
        *,
        body: bytes | None = None,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        takes: Sequence[int] = (),
    ) -> httpx.Response:
        return await self._http.send(
            method,
            f"{self._api}{path}.json",
            content=body,
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                **(headers or {}),
            },
            params=params,
            auth=self._auth,
            takes=takes,
        )


def comment(alert: Alert) -> dict[str, Any]:
    """An internal note: the customer never sees it. Plain text, which Zendesk escapes itself."""
    lines = [headline(alert), "", *(f"{name}: {value}" for name, value in facts(alert))]
    if alert.snippet:
        lines += ["", *(f"> {line}" for line in alert.snippet.splitlines())]
    if (url := permalink(alert)) is not None:
        lines += ["", url]
    return {"body": "\n".join(lines), "public": False}


def told(key: str) -> str:
    """The tag of one notice."""
    return _TOLD + hashlib.sha256(key.encode()).hexdigest()[:12]
