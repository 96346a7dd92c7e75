"""From the policy's receivers, and the settings' two, to sinks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from listener.errors import ListenerError, PolicyError, SettingsError
from listener.policy import Policy
from listener.ports import Sink
from listener.receivers import (
    AlertmanagerReceiver,
    EmailReceiver,
    FileReceiver,
    PagerDutyReceiver,
    ReceiverPolicy,
    SlackReceiver,
    WebhookReceiver,
    ZendeskReceiver,
)
from listener.records import Alert, Link, ModelId, Reason
from listener.settings import Settings
from listener.sinks.alertmanager import Alertmanager
from listener.sinks.jsonlines import JsonLines
from listener.sinks.mail import Mail
from listener.sinks.pagerduty import PagerDuty
from listener.sinks.slack import SlackBot, SlackWebhook
from listener.sinks.webhook import Webhook
from listener.sinks.zendesk import Zendesk

Environment = Mapping[str, str]


def build_sinks(
    settings: Settings, policy: Policy, environment: Environment = os.environ
) -> list[Sink]:
    """Every receiver, those of the settings first. Raises ListenerError for the first fault."""
    sinks: list[Sink] = []
    if settings.webhook_url is not None:
        secret = settings.webhook_secret
        url = settings.webhook_url.get_secret_value()
        sinks.append(Webhook(url, secret.get_secret_value() if secret else None))
    if settings.alerts_file is not None:
        sinks.append(JsonLines(settings.alerts_file))
    taken = {sink.name for sink in sinks}
    for name, entry in policy.receivers.items():
        if name in taken:
            raise PolicyError(
                f"receivers.{name}: the setting LISTENER_{_setting(name)} makes a receiver of this "
                "name too; unset it, or choose another name"
            )
        sinks.append(build_sink(name, entry, environment))
    return sinks


def receiver_faults(
    settings: Settings, policy: Policy, environment: Environment = os.environ
) -> list[str]:
    """What is wrong with each receiver; nothing is sent."""
    faults: list[str] = []
    parts: list[dict[str, ReceiverPolicy]] = [{}]
    parts += [{name: entry} for name, entry in policy.receivers.items()]
    for part in parts:
        try:
            build_sinks(settings, msgspec.structs.replace(policy, receivers=part), environment)
        except ListenerError as error:
            faults.append(str(error))
    return faults


class _Secrets:
    """What the environment holds for one receiver. Errors name the variable, never the secret."""

    def __init__(self, name: str, entry: ReceiverPolicy, environment: Environment) -> None:
        self._name = name
        self._entry = entry
        self._environment = environment

    def needed(self, key: str) -> str:
        found = self.optional(key)
        if found is None:
            raise PolicyError(
                f"receivers.{self._name}.{key} is missing; name the environment variable that "
                "holds it"
            )
        return found

    def optional(self, key: str) -> str | None:
        variable = getattr(self._entry, key)
        if variable is None:
            return None
        if not self._environment.get(variable):
            raise SettingsError(
                f"receivers.{self._name}.{key}={variable}: that environment variable is not set; "
                "set it"
            )
        return self._environment[variable]


def build_sink(name: str, entry: ReceiverPolicy, environment: Environment = os.environ) -> Sink:
    """The sink of one receiver. Raises SettingsError or PolicyError."""
    secrets = _Secrets(name, entry, environment)
    match entry:
        case SlackReceiver():
            return _slack(name, entry, secrets)
        case PagerDutyReceiver():
            return PagerDuty(secrets.needed("key_env"), name=name, url=entry.url)
        case AlertmanagerReceiver():
            return _alertmanager(name, entry, secrets)
        case WebhookReceiver():
            where = f"receivers.{name}.url_env={entry.url_env}, {entry.url_env}"
            url, key = secrets.needed("url_env"), secrets.optional("secret_env")
            return Webhook(url, key, name=name, where=where)
        case ZendeskReceiver():
            return _zendesk(name, entry, secrets)
        case EmailReceiver():
            return _mail(name, entry, secrets)
        case FileReceiver():
            return JsonLines(Path(entry.path), name=name)


def _alertmanager(name: str, entry: AlertmanagerReceiver, secrets: _Secrets) -> Sink:
    return Alertmanager(
        entry.url,
        name=name,
        token=secrets.optional("token_env"),
        labels=entry.labels,
        hold=timedelta(hours=entry.hold_hours),
    )


def _zendesk(name: str, entry: ZendeskReceiver, secrets: _Secrets) -> Sink:
    return Zendesk(
        entry.url,
        entry.email,
        secrets.needed("token_env"),
        name=name,
        group_id=entry.group_id,
        tags=entry.tags,
    )


def _slack(name: str, entry: SlackReceiver, secrets: _Secrets) -> Sink:
    url = secrets.optional("url_env")
    if url is not None:
        if entry.token_env or entry.channel:
            raise PolicyError(
                f"receivers.{name}: url_env is a webhook's, token_env and channel are a bot's; "
                "leave one of them out"
            )
        return SlackWebhook(url, name=name, where=f"receivers.{name}.url_env, {entry.url_env}")
    if not entry.channel:
        raise PolicyError(
            f"receivers.{name}: give url_env (a webhook), or token_env and channel (a bot)"
        )
    return SlackBot(secrets.needed("token_env"), entry.channel, name=name, api=entry.api_url)


def _mail(name: str, entry: EmailReceiver, secrets: _Secrets) -> Sink:
    if not entry.to:
        raise PolicyError(f"receivers.{name}.to=[]: nobody would get the mail; give addresses")
    return Mail(
        entry.host,
        entry.to,
        entry.sender,
        name=name,
        clock=lambda: datetime.now(UTC),
        port=entry.port,
        tls=entry.tls,
        cafile=entry.cafile,
        username=entry.username,
        password=secrets.optional("password_env"),
    )


def _setting(name: str) -> str:
    return {"webhook": "WEBHOOK_URL", "file": "ALERTS_FILE"}.get(name, name.upper())


def trial_notice(now: datetime) -> Alert:
    """An alert that everybody sees is none, for `listener receivers test`."""
    return Alert(
        alert_id=f"test-{now:%Y%m%d%H%M%S}",
        group_key="test",
        state="open",
        priority="P3",
        score=0.5,
        reasons=(Reason(code="test", contribution=1.0),),
        subject="test",
        issue="other",
        opened_at=now,
        due_at=now + timedelta(hours=4),
        snippet="This is a test of Listener. <Nothing> has happened & nothing is to be done.",
        link=Link(),
        model=ModelId(name="test", version="0"),
    )
