"""Removes text and identifiers that must go, and what has had its time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from listener.codec import decode
from listener.records import Alert, Forget
from listener.store import rows, tables
from listener.store.rows import Row


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """Days that each kind is kept, counted back from the newest message."""

    mentions: float = 90.0
    alerts: float = 365.0
    figures: float = 90.0
    dead_letters: float = 30.0
    audit: float = 730.0
    """Counted back from now."""


async def forget(connection: AsyncConnection, request: Forget) -> None:
    """Removes a message, or all that an author or a customer wrote; redacts their alerts. Keeps a
    digest, so that a message that comes after its own deletion stays out."""
    kind, key, chosen = _chosen(request)
    found = list(await connection.execute(chosen))
    subjects = {row.subject for row in found}
    ids = {row.mention_id for row in found} | ({key} if kind == "mention" else set())
    shared: set[str] = set()
    if kind == "customer":
        subjects.add(f"customer:{key}")
    elif kind == "author":
        # A customer whom the author was linked to has other messages, which stay.
        shared, subjects = subjects - {key}, {key}
    await _remember(connection, kind, key, subjects, request.requested_at)
    await connection.execute(
        delete(tables.mentions).where(tables.mentions.c.mention_id.in_(list(ids)))
    )
    person = kind != "mention"
    if person:
        await connection.execute(
            delete(tables.subjects).where(tables.subjects.c.subject.in_(list(subjects)))
        )
    if kind == "customer":
        await connection.execute(delete(tables.offers).where(tables.offers.c.customer_id == key))
    await _redact(connection, subjects, ids, person=person)
    if shared:
        await _take_out(connection, shared, ids)


def _chosen(request: Forget) -> tuple[str, str, Select[tuple[str, str]]]:
    t = tables.mentions.c
    query = select(t.mention_id, t.subject)
    if request.mention_id is not None:
        return "mention", request.mention_id, query.where(t.mention_id == request.mention_id)
    if request.author is not None:
        return "author", request.author, query.where(t.author == request.author)
    customer = request.customer_id or ""
    return "customer", customer, query.where(t.customer_id == customer)


async def _remember(
    connection: AsyncConnection, kind: str, key: str, subjects: set[str], at: datetime
) -> None:
    keys = {rows.digest(kind, key): False}
    if kind != "mention":
        # One request is one that is outstanding, whatever else goes with it.
        keys |= {rows.digest("subject", subject): True for subject in subjects}
    await _note(connection, keys, at.timestamp())


async def _note(connection: AsyncConnection, digests: dict[str, bool], at: float) -> None:
    """`digests`: what may not come back, and whether it is not to be scrubbed from the disk."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(tables.forgotten)
    upsert = insert.on_conflict_do_update(
        index_elements=["digest"],
        set_={"at": insert.excluded["at"], "scrubbed": insert.excluded["scrubbed"]},
        where=tables.forgotten.c.at <= insert.excluded["at"],
    )
    await connection.execute(
        upsert,
        [
            {"digest": digest, "at": at, "scrubbed": scrubbed}
            for digest, scrubbed in sorted(digests.items())
        ],
    )


async def _redact(
    connection: AsyncConnection, subjects: set[str], ids: set[str], *, person: bool
) -> None:
    t = tables.alerts.c
    by_subject = t.subject.in_(list(subjects)) if subjects else t.first.in_(list(ids))
    for record in list(await connection.scalars(select(t.record).where(by_subject))):
        alert: Alert = decode(record, Alert)
        if person or ids & set(alert.evidence):
            row = rows.alert_row(rows.redacted(alert, person=person))
            await connection.execute(
                update(tables.alerts).where(t.alert_id == alert.alert_id).values(row)
            )


async def _take_out(connection: AsyncConnection, subjects: set[str], ids: set[str]) -> None:
    """One author's messages go from alerts that stand on others', too. Whose text an alert shows
    only escalation knows, and says so in its next version."""
    t = tables.alerts.c
    found = await connection.scalars(select(t.record).where(t.subject.in_(list(subjects))))
    for record in list(found):
        alert: Alert = decode(record, Alert)
        if ids & set(alert.evidence):
            row = rows.alert_row(rows.without(alert, ids))
            await connection.execute(
                update(tables.alerts).where(t.alert_id == alert.alert_id).values(row)
            )
    moment = {rows.digest("mention", mention_id): True for mention_id in ids}
    await _note(connection, moment, 0.0)


async def gone(connection: AsyncConnection, new: Sequence[Row]) -> set[str]:
    """Mention ids of rows that must stay out: deleted, or of a person forgotten after them."""
    wanted: dict[str, list[tuple[str, float]]] = {}
    for row in new:
        name = row["mention_id"]
        # A message that was deleted never comes back; a person may write again.
        wanted.setdefault(rows.digest("mention", name), []).append((name, 0.0))
        for kind, key in (("author", row["author"]), ("customer", row["customer_id"])):
            if key is not None:
                wanted.setdefault(rows.digest(kind, key), []).append((name, row["version"]))
    t = tables.forgotten.c
    found = (
        await connection.execute(select(t.digest, t.at).where(t.digest.in_(list(wanted))))
        if wanted
        else ()
    )
    return {name for row in found for name, at in wanted[row.digest] if at <= row.at}


async def prune(connection: AsyncConnection, keep: Retention, *, now: datetime) -> None:
    """Deletes what is older than its retention."""
    day = 86_400.0
    newest = await connection.scalar(select(func.max(tables.mentions.c.hour)))
    end = min(now.timestamp(), (newest or 0) * 3600.0 + 3600.0)
    m, a, r, i = tables.mentions.c, tables.alerts.c, tables.brand_risk.c, tables.incidents.c
    hour = int((end - keep.figures * day) // 3600)
    letters = tables.dead_letters
    for statement in (
        delete(tables.mentions).where(m.id < rows.first_id(end - keep.mentions * day)),
        delete(tables.subjects).where(tables.subjects.c.version < end - keep.mentions * day),
        delete(tables.alerts).where(a.changed_at < end - keep.alerts * day),
        delete(tables.brand_risk).where(r.version < end - keep.figures * day),
        delete(tables.offers).where(tables.offers.c.version < end - keep.mentions * day),
        delete(tables.incidents).where(i.version < end - keep.figures * day),
        delete(tables.hours).where(tables.hours.c.hour < hour),
        delete(tables.issue_hours).where(tables.issue_hours.c.hour < hour),
        delete(letters).where(letters.c.at < now.timestamp() - keep.dead_letters * day),
        delete(tables.audit).where(tables.audit.c.at < now.timestamp() - keep.audit * day),
    ):
        await connection.execute(statement)
