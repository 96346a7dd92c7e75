"""Messages of the past, linked and in order of time: from the topic, or from a file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from listener.codec import decode
from listener.errors import InputError, InvalidMessage
from listener.feed import read_topic
from listener.fit import stage_of
from listener.identity import link, subject_of
from listener.policy import Policy
from listener.ports import Judge
from listener.records import Identity, Linked, Mention
from listener.settings import Settings
from listener.sources import FORMATS
from listener.sources.files import read_records
from listener.sources.prepare import Preparer
from listener.topics import LINKED

CHUNK: Final = 256


def recorded(settings: Settings, *, start: datetime, end: datetime | None) -> list[Linked]:
    """What is on `listener.linked`, seen from `start` up to `end`, each message once."""
    found: dict[str, Linked] = {}
    for message in asyncio.run(read_topic(settings, LINKED.name)):
        record: Linked = decode(message.value, Linked)
        seen = record.mention.observed_at
        if start <= seen and (end is None or seen < end):
            found.setdefault(f"{record.mention.mention_id} {record.mention.op}", record)
    return in_order(found.values())


def from_file(path: Path) -> list[Linked]:
    """A JSON-lines file of linked messages. Raises InputError."""
    found = []
    for number, record in enumerate(read_records(path), 1):
        try:
            found.append(decode(record.value, Linked))
        except InvalidMessage as error:
            raise InputError(
                f"{path}, line {number}: {error.reason} at {error.field}; give lines of "
                f"{LINKED.name}, or say with --format which raw format it is"
            ) from None
    return in_order(found)


def from_raw(path: Path, *, format: str, policy: Policy, judge: Judge) -> list[Linked]:
    """A file of raw messages, judged here; what cannot be read is left out, as in the flow.

    Nobody is a known customer: the directory is not at hand. Raises InputError.
    """
    if format not in FORMATS:
        raise InputError(f"--format {format}: no such format; one of {', '.join(sorted(FORMATS))}")
    mentions = _mentions(path, format, Preparer(policy.brands))
    found: list[Linked] = []
    while part := list(islice(mentions, CHUNK)):
        judgements = judge.judge([m.text for m in part], [m.lang for m in part])
        for mention, judgement in zip(part, judgements, strict=True):
            tie, standing = link(mention, _nobody, policy.identity)
            stage = stage_of(judgement.labels, tie, standing, now=mention.event_time)
            subject = subject_of(mention, tie)
            found.append(Linked(mention=mention, judgement=judgement, subject=subject, stage=stage))
    return in_order(found)


def in_order(messages: Iterable[Linked]) -> list[Linked]:
    return sorted(messages, key=lambda m: (m.mention.observed_at, m.mention.mention_id))


def _mentions(path: Path, format: str, preparer: Preparer) -> Iterator[Mention]:
    for record in read_records(path):
        try:
            parsed = FORMATS[format](record.value, observed_at=record.at)
        except InvalidMessage:
            continue
        if isinstance(parsed, Mention) and not parsed.author.opted_out:
            yield preparer.prepare(parsed)


def _nobody(identifier: str, customer_id: str | None) -> Identity | None:
    return None


def dump(messages: Iterable[Linked]) -> Iterator[bytes]:
    """Lines that `from_file` reads."""
    return (msgspec.json.encode(message) for message in messages)
