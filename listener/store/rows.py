"""Records → rows of the read model. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from listener.codec import encode
from listener.records import (
    Alert,
    BrandRisk,
    DeadLetter,
    FitSignal,
    HelpOffer,
    Incident,
    Link,
    Linked,
    SubjectStage,
)
from listener.store.tables import BUCKET, ID_SHIFT, NO_DUE

Row = dict[str, Any]
RANK: Final = {"P1": 1, "P2": 2, "P3": 3}
HOUR: Final = 3600
WORD: Final = re.compile(r"[^\W_]+")
MOST_WORDS: Final = 2000
SEPARATOR: Final = "\x1f"
UNJUDGED: Final = "unjudged"


class Received(NamedTuple):
    """One record of a topic. `written`: its time stamp, milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    written: int
    key: bytes | None
    record: object


class AlertGone(NamedTuple):
    """The topic has a tombstone for it."""

    alert_id: str


def words(text: str) -> str:
    """What search looks at: lower-case words, the same cut on every database."""
    return " ".join(WORD.findall(text.lower())[:MOST_WORDS])


def digest(kind: str, key: str) -> str:
    """Stands for an identifier that must not be kept."""
    return hashlib.sha256(f"{kind}{SEPARATOR}{key}".encode()).hexdigest()


def first_id(at: float) -> int:
    """The least `mentions.id` of a time."""
    return int(at * 1000) << ID_SHIFT


def id_of(mention_id: str, at: float) -> int:
    """Order by time; nearly always unique, the writer sees to the rest."""
    spread = int.from_bytes(hashlib.sha256(mention_id.encode()).digest()[:4], "big")
    return first_id(at) + (spread & ((1 << ID_SHIFT) - 1))


def mention_row(linked: Linked, *, written: int) -> Row:
    mention, labels = linked.mention, linked.judgement.labels
    at = mention.event_time.timestamp()
    return {
        "id": id_of(mention.mention_id, at),
        "mention_id": mention.mention_id,
        "version": mention.observed_at.timestamp(),
        "written": written,
        "subject": linked.subject,
        "customer_id": linked.link.customer_id,
        "author": mention.author_key,
        "thread": mention.thread,
        "brand": mention.brands[0] if mention.brands else "",
        "brands": SEPARATOR.join(mention.brands),
        "channel": mention.channel,
        "network": mention.network,
        "issue": labels.top_issue if labels else UNJUDGED,
        "sentiment": labels.top_sentiment if labels else UNJUDGED,
        "hour": int(at // HOUR),
        "words": words(f"{mention.title or ''} {mention.text}"),
        "record": encode(linked),
    }


def subject_row(linked: Linked) -> Row:
    mention = linked.mention
    return {
        "subject": linked.subject,
        "version": mention.event_time.timestamp(),
        "stage": linked.stage,
        "segment": linked.standing.segment if linked.standing else "",
        "customer_id": linked.link.customer_id,
        "handle": mention.author.handle or mention.author.id,
    }


def stage_row(told: SubjectStage, *, written: int) -> Row:
    """Of one who may not have been heard yet: what a message tells (`handle`) is not known."""
    return {
        "subject": told.subject,
        "version": told.since.timestamp(),
        "stage": told.stage,
        "segment": "",
        "customer_id": told.customer_id,
        "handle": None,
        "told": written,
        "stuck": told.stuck,
    }


def offer_row(offer: HelpOffer) -> Row:
    return {
        "customer_id": offer.customer_id,
        "version": offer.at.timestamp(),
        "kind": offer.kind,
        "reason": offer.reason,
    }


def alert_row(alert: Alert) -> Row:
    times = [alert.opened_at, alert.acknowledged_at, alert.resolved_at]
    return {
        "alert_id": alert.alert_id,
        "version": alert.version,
        "state": alert.state,
        "rank": RANK[alert.priority],
        "mark": 10 * alert.cycle + 4 - RANK[alert.priority],
        "brand": alert.brand or "",
        "issue": alert.issue,
        "subject": alert.subject,
        "assignee": alert.assignee,
        "receivers": "".join(f"|{name}|" for name in alert.receivers),
        "first": alert.evidence[0] if alert.evidence else "",
        "opened_at": alert.opened_at.timestamp(),
        "due_at": alert.due_at.timestamp() if alert.due_at else NO_DUE,
        "changed_at": max(at.timestamp() for at in times if at is not None),
        "record": encode(alert),
    }


def without(alert: Alert, ids: set[str]) -> Alert:
    """Without text, and without these messages among its evidence and that of its link."""
    kept = tuple(mention_id for mention_id in alert.evidence if mention_id not in ids)
    link = msgspec.structs.replace(alert.link, evidence=())
    return msgspec.structs.replace(alert, snippet=None, permalink=None, evidence=kept, link=link)


def redacted(alert: Alert, *, person: bool) -> Alert:
    """Without text, and without who it was where a whole `person` is to be forgotten."""
    bare = msgspec.structs.replace(alert, snippet=None, permalink=None)
    if not person:
        return bare
    # The state stays reachable under the alert's own id.
    return msgspec.structs.replace(
        bare, subject=f"forgotten:{alert.alert_id}", link=Link(), evidence=()
    )


def risk_row(risk: BrandRisk) -> Row:
    at = risk.at.timestamp()
    return {
        "brand": risk.brand,
        "bucket": int(at // BUCKET),
        "version": at,
        "risk": risk.brand_risk,
        "record": encode(risk),
    }


def incident_row(risk: BrandRisk, incident: Incident) -> Row:
    return {
        "incident_id": incident.incident_id,
        "version": risk.at.timestamp(),
        "brand": risk.brand,
        "kind": incident.kind,
        "started_at": incident.started_at.timestamp(),
        "ended_at": incident.ended_at.timestamp() if incident.ended_at else None,
        "peak": incident.peak_burn,
    }


def signal_row(signal: FitSignal, *, written: int) -> Row:
    return {
        "key": f"{signal.segment}:{signal.dimension}:{signal.band}",
        "version": signal.at.timestamp(),
        "written": written,
        "record": encode(signal),
    }


def letter_row(received: Received, letter: DeadLetter) -> Row:
    return {
        "letter_id": f"{received.partition}-{received.offset}",
        "at": letter.at.timestamp(),
        "stage": letter.stage,
        "raw_key": received.key,
        "record": encode(letter),
    }


def newest(rows: Iterable[Row], *key: str) -> list[Row]:
    """One row a key: that of the highest version, then the one written last."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        name = tuple(row[part] for part in key)
        old = found.get(name)
        if old is None or _age(row) >= _age(old):
            found[name] = row
    return list(found.values())


def _age(row: Row) -> tuple[float, int]:
    return row["version"], row.get("written", 0)
