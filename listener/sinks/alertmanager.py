"""Alerts to Prometheus Alertmanager, API v2: POST /api/v2/alerts.

Its openapi.yaml: 200 taken, 400 never, 500 later. The labels are the alert's identity there, so a
repeat changes nothing. Routes need the priority as a label; since another priority is another
alert to Alertmanager, the two that do not hold are sent as ended. One that never fired and has
ended is told to nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args

import httpx

from listener.codec import encode
from listener.ports import Clock
from listener.records import Alert, Priority
from listener.sinks.http import Http, web_url
from listener.sinks.wording import facts, headline, permalink

_NAME: Final = "ListenerAlert"


class Alertmanager:
    """`hold`: how long an alert stands without being said again."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        token: str | None = None,
        labels: Mapping[str, str] | None = None,
        hold: timedelta = timedelta(days=7),
        clock: Clock = lambda: datetime.now(UTC),
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self.name = name
        self._url = web_url(url, where=f"receivers.{name}.url").rstrip("/") + "/api/v2/alerts"
        self._token = token
        self._labels = dict(labels or {})
        self._hold = hold
        self._clock = clock
        self._http = Http(secrets=(token or "",), client=client)

    async def send(self, alert: Alert, *, key: str, ref: str | None = None) -> None:
        now = self._clock()
        body = encode(postable(alert, self._labels, now=now, until=now + self._hold))
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        await self._http.send("POST", self._url, content=body, headers=headers)

    async def close(self) -> None:
        await self._http.close()


def postable(
    alert: Alert, labels: Mapping[str, str], *, now: datetime, until: datetime
) -> list[dict[str, Any]]:
    """One alert for each priority, of which at most one stands."""
    starts = min(alert.opened_at, now)
    ended = max(alert.resolved_at or now, starts)
    return [
        {
            "labels": _labels(alert, labels, priority),
            "annotations": _annotations(alert),
            "startsAt": starts.isoformat(),
            "endsAt": (until if _stands(alert, priority) else ended).isoformat(),
            **({"generatorURL": url} if (url := permalink(alert)) else {}),
        }
        for priority in get_args(Priority)
    ]


def _stands(alert: Alert, priority: str) -> bool:
    return alert.state != "resolved" and priority == alert.priority


def _labels(alert: Alert, labels: Mapping[str, str], priority: str) -> dict[str, str]:
    found = {
        **labels,
        "alertname": _NAME,
        "alert_id": alert.alert_id,
        "brand": alert.brand or "",
        "issue": alert.issue,
        "priority": priority,
    }
    return {name: value for name, value in found.items() if value}


def _annotations(alert: Alert) -> dict[str, str]:
    found = {name.lower(): value for name, value in facts(alert)}
    found["summary"] = headline(alert)
    found["snippet"] = alert.snippet or ""
    found["permalink"] = permalink(alert) or ""
    return {name: value for name, value in found.items() if value}
