"""Reads back what a worker has made of its input."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from agents.escalate import Subject
from agents.flow import Held
from listener.brand import BrandState
from listener.codec import decode
from listener.feed import read_topic
from listener.records import Alert, DeadLetter, Identity, Linked
from listener.settings import Settings
from listener.topics import ALERTS, DEAD_LETTERS, IDENTITIES, LINKED, STATE_BRANDS, STATE_SUBJECTS


def read(settings: Settings, topic: str, kind: Any) -> list[Any]:
    messages = asyncio.run(read_topic(settings, topic))
    return [decode(m.value, kind) for m in messages if m.value is not None]


def newest(settings: Settings, topic: str, kind: Any) -> dict[bytes, Any]:
    messages = asyncio.run(read_topic(settings, topic))
    return {m.key: decode(m.value, kind) for m in messages}


class Outcome(msgspec.Struct):
    """All that must not depend on kills."""

    mentions: set[str]
    dead: set[tuple[str, int, int]]
    seen: dict[str, int]
    """Brand → mentions counted, in the state."""
    brands: dict[str, BrandState]
    subjects: dict[bytes, Any]
    alerts: dict[str, tuple[str, str, float, tuple[str, ...], int]]
    owners: dict[str, bytes]
    """Alert → its subject."""
    answered: set[bytes]
    """Subjects whose messages the brand answered. Answers come by another way than messages, so
    that in a replay at full speed the order of the two is not given."""
    untold: set[str]
    """Alerts of which nobody was to be told."""
    sent_again: int
    """Records on `listener.linked` beyond the first of each id."""


def outcome(settings: Settings) -> Outcome:
    linked = read(settings, LINKED.name, Linked)
    ids = [record.mention.mention_id for record in linked]
    letters = read(settings, DEAD_LETTERS.name, DeadLetter)
    brands = newest(settings, STATE_BRANDS.name, Held[BrandState])
    for held in brands.values():
        # When each was heard, by the broker's clock: of no two runs the same.
        held.state.paths.clear()
    subjects = newest(settings, STATE_SUBJECTS.name, Held[Subject])
    alerts = newest(settings, ALERTS.name, Alert)
    whose = {record.mention.mention_id: record.subject for record in linked}
    answers = [r.mention.parent for r in linked if r.mention.from_brand and r.mention.parent]
    return Outcome(
        owners={a.alert_id: a.subject.encode() for a in alerts.values()},
        untold={a.alert_id for a in alerts.values() if a.quiet or a.state == "suppressed"},
        answered={whose[parent].encode() for parent in answers if parent in whose},
        mentions=set(ids),
        dead={(letter.topic, letter.partition, letter.offset) for letter in letters},
        seen={key.decode(): held.state.seen for key, held in brands.items()},
        brands={key.decode(): held.state for key, held in brands.items()},
        subjects={key: _timeless(held.state) for key, held in subjects.items()},
        alerts={
            a.alert_id: (a.state, a.priority, a.score, a.evidence, a.version)
            for a in alerts.values()
        },
        sent_again=len(ids) - len(set(ids)),
    )


def _timeless(subject: Subject) -> Subject:
    """Without what tells how far the stream lay behind the wall clock of that run."""
    return msgspec.structs.replace(subject, pace=None)


def wait_for_directory(settings: Settings, *, customers: int) -> None:
    """Until every customer is indexed: a message that comes earlier is of a stranger."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = newest(settings, IDENTITIES.name, Identity).values()
        if len({identity.customer_id for identity in found}) >= customers:
            time.sleep(1.5)
            return
        time.sleep(0.5)
    raise AssertionError("the directory was not indexed in a minute")


def wait_for(settings: Settings, *, inputs: int, seconds: float) -> Outcome:
    """The outcome once every input is linked or dead, the hops behind are quiet and no alert waits
    for its group any longer."""
    deadline = time.monotonic() + seconds
    before: Outcome | None = None
    while time.monotonic() < deadline:
        found = outcome(settings)
        complete = len(found.mentions) + len(found.dead) >= inputs
        waits = any(state == "pending" for state, *_ in found.alerts.values())
        if complete and not waits and found == before:
            return found
        before = found
        time.sleep(2)
    assert before is not None
    raise AssertionError(
        f"{len(before.mentions)} linked and {len(before.dead)} dead of {inputs} after {seconds} s"
    )
