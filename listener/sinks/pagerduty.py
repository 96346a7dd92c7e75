"""Alerts to PagerDuty, Events API v2: trigger, acknowledge and resolve under one dedup key.

https://developer.pagerduty.com/docs/events-api-v2: 202 taken, 400 never, 429 and 5xx later. Events
of the same dedup key are one incident, so a repeat changes nothing.
"""

from __future__ import annotations

from typing import Any, Final

import httpx

from listener.codec import encode
from listener.records import Alert, Priority
from listener.sinks.http import Http, web_url
from listener.sinks.wording import facts, headline, permalink, shorten

_SEVERITY: Final[dict[Priority, str]] = {"P1": "critical", "P2": "error", "P3": "warning"}
_ACTION: Final = {"acknowledged": "acknowledge", "resolved": "resolve"}
_SUMMARY: Final = 1024


class PagerDuty:
    """`key`: the integration key of a service, secret."""

    def __init__(
        self, key: str, *, name: str, url: str, client: httpx.AsyncClient | None = None
    ) -> None:
        self.name = name
        self._key = key
        self._url = web_url(url, where=f"receivers.{name}.url")
        self._http = Http(secrets=(key,), client=client)

    async def send(self, alert: Alert, *, key: str, ref: str | None = None) -> None:
        body = encode(event(alert, self._key))
        headers = {"Content-Type": "application/json"}
        await self._http.send("POST", self._url, content=body, headers=headers)

    async def close(self) -> None:
        await self._http.close()


def event(alert: Alert, routing_key: str) -> dict[str, Any]:
    """The body of one event; only a trigger carries a payload."""
    action = _ACTION.get(alert.state, "trigger")
    found: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": alert.alert_id,
    }
    if action != "trigger":
        return found
    found |= {"client": "Listener", "payload": _payload(alert)}
    if (url := permalink(alert)) is not None:
        found["links"] = [{"href": url, "text": "The message"}]
    return found


def _payload(alert: Alert) -> dict[str, Any]:
    summary = f"{headline(alert)}: {alert.snippet}" if alert.snippet else headline(alert)
    details = dict(facts(alert))
    if alert.snippet:
        details["Message"] = alert.snippet
    if (url := permalink(alert)) is not None:
        details["Permalink"] = url
    return {
        "summary": shorten(summary, _SUMMARY),
        "severity": _SEVERITY[alert.priority],
        "source": alert.brand or "listener",
        "timestamp": alert.opened_at.isoformat(),
        "component": alert.issue,
        "group": alert.group_key,
        "class": alert.issue,
        "custom_details": details,
    }
