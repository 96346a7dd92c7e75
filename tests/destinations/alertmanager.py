"""Alertmanager's API v2: alerts by their labels."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from tests.destinations.schemas import PostableAlert
from tests.destinations.server import Answer, Request


class Alertmanager:
    """`alerts`: labels → the newest of them; `told`: firing and resolved notices it would send."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.alerts: dict[frozenset[tuple[str, str]], PostableAlert] = {}
        self.told: list[tuple[str, str, str]] = []

    def __call__(self, request: Request) -> Answer:
        if (request.method, request.path) != ("POST", "/api/v2/alerts"):
            return Answer(404, '{"code":404}')
        try:
            posted = msgspec.json.decode(request.body, type=list[PostableAlert])
        except msgspec.ValidationError as error:
            return Answer(422, f'{{"code":601,"message":"{error}"}}')
        for alert in posted:
            if alert.startsAt and alert.endsAt and alert.endsAt < alert.startsAt:
                return Answer(400, '"start time must be before end time"')
            if not all(alert.labels.values()):
                return Answer(400, '"empty label value"')
        for alert in posted:
            self._apply(alert)
        return Answer(200)

    def _apply(self, alert: PostableAlert) -> None:
        key = frozenset(alert.labels.items())
        before = self.alerts.get(key)
        fired, fires = before is not None and self._fires(before), self._fires(alert)
        self.alerts[key] = alert
        if fired != fires:
            what = "firing" if fires else "resolved"
            self.told.append((alert.labels["alert_id"], alert.labels["priority"], what))

    def _fires(self, alert: PostableAlert) -> bool:
        return alert.endsAt is None or alert.endsAt.astimezone(UTC) > self.now
