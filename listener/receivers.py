"""Who is told of alerts, and how patiently: sections `receivers`, `delivery` and `digest`.

Secrets are never in the policy: an entry names the environment variable that holds one (`…_env`).
"""

from __future__ import annotations

from typing import Literal

import msgspec


class _Entry(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="sink"
):
    """What every receiver shares: the tag `sink` says of which kind it is."""


class SlackReceiver(_Entry, frozen=True, kw_only=True, tag="slack"):
    """`url_env` of an incoming webhook, or `token_env` of a bot and `channel` (its id): then each
    alert is one message, updated in place."""

    url_env: str | None = None
    token_env: str | None = None
    channel: str | None = None
    api_url: str = "https://slack.com/api"


class PagerDutyReceiver(_Entry, frozen=True, kw_only=True, tag="pagerduty"):
    """`key_env`: the integration (routing) key of a service."""

    key_env: str
    url: str = "https://events.pagerduty.com/v2/enqueue"


class AlertmanagerReceiver(_Entry, frozen=True, kw_only=True, tag="alertmanager"):
    """`url`: where Alertmanager listens, without `/api/v2`."""

    url: str
    token_env: str | None = None
    """Bearer token, where a proxy asks for one."""
    labels: dict[str, str] = {}
    """Labels added to each alert."""
    hold_hours: float = 168.0
    """An open alert ends by itself after so long, as Alertmanager needs an end."""


class WebhookReceiver(_Entry, frozen=True, kw_only=True, tag="webhook"):
    """`url_env`: the endpoint; `secret_env`: key of its HMAC."""

    url_env: str
    secret_env: str | None = None


class ZendeskReceiver(_Entry, frozen=True, kw_only=True, tag="zendesk"):
    """`url`: `https://SUBDOMAIN.zendesk.com`; `email` and `token_env` of an agent."""

    url: str
    email: str
    token_env: str
    group_id: int | None = None
    tags: tuple[str, ...] = ("listener",)


class EmailReceiver(_Entry, frozen=True, kw_only=True, tag="email"):
    """Mails by SMTP; `tls`: `starttls` (port 587), `tls` (port 465) or `none`."""

    host: str
    to: tuple[str, ...]
    sender: str
    port: int | None = None
    tls: Literal["starttls", "tls", "none"] = "starttls"
    cafile: str | None = None
    """CA bundle; none: the system's."""
    username: str | None = None
    password_env: str | None = None


class FileReceiver(_Entry, frozen=True, kw_only=True, tag="file"):
    """A JSON-lines file that notices are added to."""

    path: str


ReceiverPolicy = (
    SlackReceiver
    | PagerDutyReceiver
    | AlertmanagerReceiver
    | WebhookReceiver
    | ZendeskReceiver
    | EmailReceiver
    | FileReceiver
)


class DeliveryPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How patiently every receiver is tried."""

    deadline_minutes: float = 60.0
    """A notice that could not be delivered for so long goes to dead letters."""
    send_seconds: float = 8.0
    """Longest time of one attempt."""
    wait_seconds: float = 1.0
    """Pause after the first failure of a notice; it doubles with each."""
    wait_max_seconds: float = 60.0
    breaker_failures: int = 5
    """Failures in a row after which a destination is left alone for a while."""
    breaker_seconds: float = 5.0
    """How long at first; it doubles up to `wait_max_seconds`."""
    waiting: int = 10_000
    """Alerts that may wait for one receiver; of more, the least pressing go to dead letters."""


class DigestPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The daily digest: complaints that raised no alert (`listener digest`)."""

    at: str = "08:00"
    """Time of day at which a digest ends, HH:MM."""
    zone: str = "UTC"
    receivers: tuple[str, ...] = ()
    examples: int = 3
    """Permalinks a line."""
