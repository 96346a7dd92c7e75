"""Makes and checks the topics on a real cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from listener.errors import BrokerError
from listener.policy import Policy
from listener.settings import Settings
from listener.topics import TOPICS, Topic, raw


class TopicReport(msgspec.Struct, frozen=True, kw_only=True):
    """One topic as it should be and as it is. `faults` is empty where both agree."""

    name: str
    partitions: int
    cleanup: str
    retention_ms: int | None
    found: bool
    faults: tuple[str, ...] = ()


def wanted(policy: Policy) -> tuple[Topic, ...]:
    """The raw topics of the policy, and ours."""
    return (*(raw(name) for name in policy.sources), *TOPICS)


def counts(policy: Policy, *, width: int) -> dict[str, int]:
    """Topic name → partitions, as the embedded broker wants them."""
    return {topic.name: topic.partitions(width) for topic in wanted(policy)}


async def create_topics(settings: Settings, policy: Policy) -> list[str]:
    """Makes the missing topics; returns their names. Raises BrokerError."""
    async with _admin(settings) as admin:
        present = set(await admin.list_topics())
        missing = [topic for topic in wanted(policy) if topic.name not in present]
        answer = await admin.create_topics([_new(topic, settings) for topic in missing])
        _check(answer.topic_errors)
        return [topic.name for topic in missing]


async def show_topics(settings: Settings, policy: Policy) -> list[TopicReport]:
    """Every topic with what is wrong with it. Raises BrokerError."""
    topics = wanted(policy)
    async with _admin(settings) as admin:
        present = set(await admin.list_topics())
        names = [topic.name for topic in topics if topic.name in present]
        partitions = await _partitions(admin, names)
        configs = await _configs(admin, names)
    return [
        _report(topic, settings.partitions, partitions.get(topic.name), configs.get(topic.name, {}))
        for topic in topics
    ]


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(request_timeout_ms=15_000, **settings.kafka)
    try:
        await client.start()
        yield client
    except (KafkaError, OSError) as error:
        raise settings.unreachable(error) from None
    finally:
        await client.close()


def _new(topic: Topic, settings: Settings) -> NewTopic:
    configs = {"cleanup.policy": topic.cleanup, "max.message.bytes": str(8 * 1024 * 1024)}
    if topic.retention_ms is not None:
        configs["retention.ms"] = str(topic.retention_ms)
    return NewTopic(
        topic.name,
        num_partitions=topic.partitions(settings.partitions),
        replication_factor=settings.replication,
        topic_configs=configs,
    )


def _check(errors: Iterable[Any]) -> None:
    for name, code, *_ in errors:
        kind = for_code(code)
        if code and kind is not TopicAlreadyExistsError:
            raise BrokerError(
                f"topic {name}: {kind.__name__}; check LISTENER_PARTITIONS, LISTENER_REPLICATION "
                "and the rights of the user"
            )


async def _partitions(admin: Any, names: list[str]) -> dict[str, int]:
    found = await admin.describe_topics(names) if names else []
    return {topic["topic"]: len(topic["partitions"]) for topic in found}


async def _configs(admin: Any, names: list[str]) -> dict[str, Mapping[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answers = await admin.describe_configs(resources)
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for answer in answers
        for _, _, _, name, entries in answer.resources
    }


def _report(
    topic: Topic, width: int, partitions: int | None, config: Mapping[str, str]
) -> TopicReport:
    faults: tuple[str, ...] = ()
    if partitions is None:
        faults = ("missing; make it with `listener topics create`",)
    else:
        faults = tuple(_faults(topic, topic.partitions(width), partitions, config))
    return TopicReport(
        name=topic.name,
        partitions=partitions or 0,
        cleanup=config.get("cleanup.policy", topic.cleanup),
        retention_ms=_number(config.get("retention.ms")),
        found=partitions is not None,
        faults=faults,
    )


def _faults(topic: Topic, width: int, partitions: int, config: Mapping[str, str]) -> Iterable[str]:
    if topic.record is not None or topic.name.startswith("listener."):
        if partitions != width:
            yield f"{partitions} partitions, not {width}: set LISTENER_PARTITIONS={partitions}"
        cleanup = config.get("cleanup.policy", topic.cleanup)
        if set(cleanup.split(",")) != set(topic.cleanup.split(",")):
            yield f"cleanup.policy={cleanup}, not {topic.cleanup}"
        retention = config.get("retention.ms")
        if topic.retention_ms and retention and int(retention) != topic.retention_ms:
            yield f"retention.ms={retention}, not {topic.retention_ms}"


def _number(text: str | None) -> int | None:
    return int(text) if text else None
