"""From the policy's receivers, and the settings' two, to sinks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
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


def build_sink(name: str, entry: ReceiverPolicy, environment: Environment = os.environ) -> Sink:
    """Raises SettingsError or PolicyError that names the key and the variable, never the secret."""

    def secret(key: str) -> str:
        found = optional(key)
        if found is None:
            raise PolicyError(
                f"receivers.{name}.{key} is missing; name the environment variable that holds it"
            )
        return found

    def optional(key: str) -> str | None:
        variable = getattr(entry, key)
        if variable is None:
            return None
        if not environment.get(variable):
            raise SettingsError(
                f"receivers.{name}.{key}={variable}: that environment variable is not set; set it"
            )
        return environment[variable]

    match entry:
        case SlackReceiver():
            return _slack(name, entry, secret, optional("url_env"))
        case PagerDutyReceiver():
            return PagerDuty(secret("key_env"), name=name, url=entry.url)
        case AlertmanagerReceiver():
            return Alertmanager(
                entry.url,
                name=name,
                token=optional("token_env"),
                labels=entry.labels,
                hold=timedelta(hours=entry.hold_hours),
            )
        case WebhookReceiver():
            where = f"receivers.{name}.url_env={entry.url_env}, {entry.url_env}"
            return Webhook(secret("url_env"), optional("secret_env"), name=name, where=where)
        case ZendeskReceiver():
            return Zendesk(
                entry.url,
                entry.email,
                secret("token_env"),
                name=name,
                group_id=entry.group_id,
                tags=entry.tags,
            )
        case EmailReceiver():
            return _mail(name, entry, optional("password_env"))
        case FileReceiver():
            return JsonLines(Path(entry.path), name=name)


def _slack(name: str, entry: SlackReceiver, secret: Callable[[str], str], url: str | None) -> Sink:
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
    return SlackBot(secret("token_env"), entry.channel, name=name, api=entry.api_url)


def _mail(name: str, entry: EmailReceiver, password: str | None) -> Sink:
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
        password=password,
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
