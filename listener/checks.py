"""What `listener check` looks at, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from listener.errors import BrokerError, PolicyError
from listener.policy import load_policy
from listener.settings import load_settings


def checks() -> Iterator[tuple[str, Callable[[], None]]]:
    """Name and test; a test raises ListenerError with the remedy."""
    yield "settings", _settings
    yield "policy", _policy
    yield "receivers", _receivers
    yield "model", _model
    yield "linking", _linking
    yield "broker and topics", _topics


def _settings() -> None:
    load_settings()


def _policy() -> None:
    load_policy(load_settings().policy)


def _receivers() -> None:
    from listener.delivery import receiver_faults
    from listener.reporting import day_of, reporter

    settings = load_settings()
    policy = load_policy(settings.policy)
    faults = receiver_faults(settings, policy)
    if faults:
        raise PolicyError("; ".join(faults))
    day_of(policy, datetime.now(UTC))
    for name in policy.digest.receivers:
        reporter(policy, name)


def _model() -> None:
    from listener.model import load_model

    settings = load_settings()
    load_model(settings, load_policy(settings.policy)).judge(["a text"], ["en"])


def _linking() -> None:
    from listener.calibrating import load_weights

    load_weights(load_settings().identity_weights)


def _topics() -> None:
    from listener.cluster import show_topics

    settings = load_settings()
    reports = asyncio.run(show_topics(settings, load_policy(settings.policy)))
    faults = [f"{report.name}: {fault}" for report in reports for fault in report.faults]
    if faults:
        raise BrokerError("; ".join(faults))
