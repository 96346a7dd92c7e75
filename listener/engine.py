"""Faust as this project needs it: guarded commits, no leader topic, raw bytes.

Three repairs, each with a test that fails without it:

- faust-streaming issue 606: with acknowledgements out of order `Consumer._new_offset` may commit an
  offset above a message that is still in flight, and a kill then loses it.
- a changelog, which nobody reads after the start, is no stalled stream;
- topics are ours to create: Faust's leader topic and declarations are off.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import faust
from aiokafka.errors import KafkaError
from faust.auth import SASLCredentials, SSLCredentials
from faust.transport.drivers.aiokafka import Consumer as AIOKafkaConsumer
from faust.transport.drivers.aiokafka import Transport as AIOKafkaTransport
from faust.types import TP

from listener.settings import Settings
from listener.topics import STATE_PREFIX, Topic

logger = logging.getLogger(__name__)


class GuardedConsumer(AIOKafkaConsumer):
    """Never commits past a message that is not acknowledged."""

    def _new_offset(self, tp: TP) -> int | None:
        held = self._lowest_unacknowledged(tp)
        if held is None:
            return self._super_offset(tp)
        acked = self._acked[tp]
        later = [offset for offset in acked if offset > held]
        acked[:] = [offset for offset in acked if offset < held]
        try:
            return self._super_offset(tp)
        finally:
            acked.extend(later)

    def verify_event_path(self, now: float, tp: TP) -> None:
        # Changelogs are read once, at the start; Faust would call each a stalled stream for ever.
        if not tp.topic.startswith(STATE_PREFIX):
            super().verify_event_path(now, tp)

    def _super_offset(self, tp: TP) -> int | None:
        offset: int | None = super()._new_offset(tp)
        return offset

    def _lowest_unacknowledged(self, tp: TP) -> int | None:
        offsets = (m.offset for m in list(self._unacked_messages) if m.tp == tp and not m.acked)
        return min(offsets, default=None)


class GuardedTransport(AIOKafkaTransport):
    Consumer = GuardedConsumer


class Engine(faust.App):
    """The Faust application of one worker."""

    def _new_transport(self) -> Any:
        return GuardedTransport(self.conf.broker, self, loop=self.loop)


def build_engine(settings: Settings) -> Engine:
    """An application that is not started yet. Reads no topic until agents are attached."""
    return Engine(
        settings.group,
        broker=[f"kafka://{host.strip()}" for host in settings.broker.split(",")],
        broker_credentials=_credentials(settings),
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        topic_disable_leader=True,
        topic_allow_declare=False,
        topic_partitions=settings.partitions,
        stream_wait_empty=False,
        table_standby_replicas=0,
        web_enabled=False,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.session_timeout / 6,
        broker_commit_interval=settings.commit_interval,
        consumer_auto_offset_reset="earliest",
        producer_linger=0,
        producer_max_batch_size=256 * 1024,
        producer_max_request_size=8 * 1024 * 1024,
        consumer_max_fetch_size=4 * 1024 * 1024,
        # Larger than one poll: a lane takes everything at once and pauses its topics itself.
        stream_buffer_maxsize=4096,
        broker_max_poll_records=512,
        loghandlers=[],
        logging_config=None,
    )


def _credentials(settings: Settings) -> SSLCredentials | SASLCredentials | None:
    if settings.security_protocol.startswith("SASL"):
        secret = settings.sasl_password
        return SASLCredentials(
            username=settings.sasl_username,
            password=secret.get_secret_value() if secret else None,
            mechanism=settings.sasl_mechanism,
            ssl_context=settings.ssl_context,
        )
    return SSLCredentials(settings.ssl_context) if settings.ssl_context else None


def attach(
    engine: Engine,
    name: str,
    topics: Sequence[str],
    runner: Any,
) -> None:
    """Let `runner` (an agent function) read `topics`. Every agent is named."""
    channel = engine.topic(*topics, key_serializer="raw", value_serializer="raw")
    engine.agent(channel, name=name)(runner)


def open_table(engine: Engine, topic: Topic, *, width: int) -> Any:
    """A table whose changelog is `topic`; keys and values are bytes.

    Only its recovery is Faust's: whoever changes it writes the changelog, so that the write can be
    awaited before the input is acknowledged.
    """
    partitions = topic.partitions(width)
    changelog = engine.topic(
        topic.name, key_serializer="raw", value_serializer="raw", partitions=partitions
    )
    return engine.Table(
        topic.name,
        partitions=partitions,
        changelog_topic=changelog,
        recovery_buffer_size=1000,
    )


__all__ = ["Engine", "GuardedConsumer", "KafkaError", "attach", "build_engine", "open_table"]
