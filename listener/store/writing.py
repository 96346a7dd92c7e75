"""Writes what the topics bring: data and offsets in one transaction.

A record that comes again changes nothing, and an older version never replaces a newer one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

from sqlalchemy import Table, case, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from listener.records import (
    Alert,
    BrandRisk,
    DeadLetter,
    FitSignal,
    Forget,
    HelpOffer,
    Linked,
    SubjectStage,
)
from listener.store import rows, tables
from listener.store.forgetting import forget, gone
from listener.store.rows import AlertGone, Received, Row

Place = tuple[str, int]
"""Topic and partition."""
Cell = tuple[str, int, str, bool]
"""Brand, hour, issue, and whether it is negative."""


async def take(
    connection: AsyncConnection, received: Sequence[Received], places: Mapping[Place, int]
) -> None:
    """Applies records and moves on to `places` (the next offset of each). What another process
    has applied already is skipped."""
    known = await offsets(connection)
    fresh = [r for r in received if r.offset >= known.get((r.topic, r.partition), 0)]
    await _mentions(connection, [r for r in fresh if isinstance(r.record, Linked)])
    await _people(connection, fresh)
    await _alerts(connection, [r.record for r in fresh if isinstance(r.record, Alert)])
    await _figures(connection, fresh)
    for item in fresh:
        if isinstance(item.record, Forget):
            await forget(connection, item.record)
        elif isinstance(item.record, AlertGone):
            table = tables.alerts
            await connection.execute(delete(table).where(table.c.alert_id == item.record.alert_id))
    moved = [
        {"topic": topic, "partition": partition, "next": offset}
        for (topic, partition), offset in places.items()
        if offset > known.get((topic, partition), 0)
    ]
    await _put(connection, tables.offsets, moved)


async def offsets(connection: AsyncConnection) -> dict[Place, int]:
    found = await connection.execute(select(tables.offsets))
    return {(row.topic, row.partition): row.next for row in found}


async def _mentions(connection: AsyncConnection, received: Sequence[Received]) -> None:
    pairs = [(r.record, r.written) for r in received if isinstance(r.record, Linked)]
    new = rows.newest((rows.mention_row(linked, written=at) for linked, at in pairs), "mention_id")
    lost = await gone(connection, new)
    old = await _standing(connection, [row["mention_id"] for row in new])
    kept = [
        row
        for row in new
        if row["mention_id"] not in lost and _not_older(row, old.get(row["mention_id"]))
    ]
    await _number(connection, kept, old)
    await _put(connection, tables.mentions, kept, older="written")
    await count(connection, kept, old)
    names = {row["subject"] for row in kept}
    people = [rows.subject_row(linked) for linked, _ in pairs if linked.subject in names]
    await _hear(connection, rows.newest(people, "subject"))


async def _hear(connection: AsyncConnection, new: list[Row]) -> None:
    """Puts people as their messages show them. What the life cycle told of their stage stays: it
    knows more than one message does."""
    if not new:
        return
    t = tables.subjects
    insert = _insert(connection, t)
    changed = {name: insert.excluded[name] for name in new[0] if name != "subject"}
    changed["stage"] = case((t.c.told > 0, t.c.stage), else_=insert.excluded["stage"])
    where = or_(t.c.version <= insert.excluded["version"], t.c.handle.is_(None))
    upsert = insert.on_conflict_do_update(index_elements=["subject"], set_=changed, where=where)
    await connection.execute(upsert, new)


async def _standing(connection: AsyncConnection, ids: list[str]) -> dict[str, Any]:
    t = tables.mentions.c
    query = select(
        t.mention_id, t.id, t.version, t.written, t.brands, t.hour, t.issue, t.sentiment
    ).where(t.mention_id.in_(ids))
    return {row.mention_id: row for row in await connection.execute(query)} if ids else {}


def _not_older(row: Row, old: Any) -> bool:
    return old is None or (row["version"], row["written"]) >= (old.version, old.written)


async def _number(connection: AsyncConnection, new: list[Row], old: Mapping[str, Any]) -> None:
    """Keeps the id of what is there; gives what is new the next free one."""
    wanted = [row["id"] for row in new if row["mention_id"] not in old]
    t = tables.mentions.c
    used = set()
    if wanted:
        near = [i + step for i in wanted for step in range(3)]
        used = set(await connection.scalars(select(t.id).where(t.id.in_(near))))
    for row in new:
        if row["mention_id"] in old:
            row["id"] = old[row["mention_id"]].id
            continue
        while row["id"] in used:
            row["id"] += 1
        used.add(row["id"])


async def count(connection: AsyncConnection, new: list[Row], old: Mapping[str, Any]) -> None:
    """Adds what is new to the sums by hour, and takes off what it replaces."""
    change: Counter[Cell] = Counter()
    for row in new:
        change.update(_cells(row["brands"], row["hour"], row["issue"], row["sentiment"]))
        before = old.get(row["mention_id"])
        if before is not None:
            change.subtract(_cells(before.brands, before.hour, before.issue, before.sentiment))
    hours: dict[tuple[str, int], Counter[str]] = {}
    issues: Counter[tuple[str, int, str]] = Counter()
    for (brand, hour, issue, negative), n in change.items():
        hours.setdefault((brand, hour), Counter()).update(count=n, negative=n * negative)
        issues[brand, hour, issue] += n
    await _add(connection, tables.hours, [
        {"brand": b, "hour": h, "count": sums["count"], "negative": sums["negative"]}
        for (b, h), sums in sorted(hours.items())
    ])  # fmt: skip
    await _add(connection, tables.issue_hours, [
        {"brand": b, "hour": h, "issue": i, "count": n} for (b, h, i), n in sorted(issues.items())
    ])  # fmt: skip


async def _add(connection: AsyncConnection, table: Table, cells: list[Row]) -> None:
    """Adds to the sums of a table, which are all that is no key in it."""
    keys = [column.name for column in table.primary_key]
    moved = [cell for cell in cells if any(n for name, n in cell.items() if name not in keys)]
    if not moved:
        return
    insert = _insert(connection, table)
    sums = {c.name: c + insert.excluded[c.name] for c in table.columns if c.name not in keys}
    await connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=sums), moved)


def _cells(brands: str, hour: int, issue: str, sentiment: str) -> list[Cell]:
    names = brands.split(rows.SEPARATOR) if brands else [""]
    return [(brand, hour, issue, sentiment == "neg") for brand in names]


async def _people(connection: AsyncConnection, received: Sequence[Received]) -> None:
    """Stages and offers, but of whom is forgotten."""
    told = {
        r.record.subject: (r.record, r.written)
        for r in received
        if isinstance(r.record, SubjectStage)
    }
    offers = [r.record for r in received if isinstance(r.record, HelpOffer)]
    keys = [("subject", subject) for subject in told]
    keys += [("customer", offer.customer_id) for offer in offers]
    lost = await _forgotten(connection, keys)
    stages = [
        rows.stage_row(record, written=written)
        for subject, (record, written) in told.items()
        if record.since.timestamp() > lost.get(("subject", subject), -inf)
    ]
    insert = _insert(connection, tables.subjects)
    changed = {name: insert.excluded[name] for name in ("stage", "told", "stuck")}
    where = tables.subjects.c.told <= insert.excluded["told"]
    upsert = insert.on_conflict_do_update(index_elements=["subject"], set_=changed, where=where)
    if stages:
        await connection.execute(upsert, stages)
    new = [
        rows.offer_row(offer)
        for offer in offers
        if offer.at.timestamp() > lost.get(("customer", offer.customer_id), -inf)
    ]
    await _put(connection, tables.offers, rows.newest(new, "customer_id"), older="version")


async def _alerts(connection: AsyncConnection, alerts: Sequence[Alert]) -> None:
    """Text that was to be forgotten does not come back with an older record."""
    evidence = {mention_id for alert in alerts for mention_id in alert.evidence}
    keys = [("mention", mention_id) for mention_id in evidence]
    keys += [("subject", alert.subject) for alert in alerts]
    lost = await _forgotten(connection, keys)
    kept = []
    for alert in alerts:
        person = ("subject", alert.subject) in lost
        if person or any(("mention", mention_id) in lost for mention_id in alert.evidence):
            alert = rows.redacted(alert, person=person)
        kept.append(rows.alert_row(alert))
    await _put(connection, tables.alerts, rows.newest(kept, "alert_id"), older="version")


async def _forgotten(
    connection: AsyncConnection, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], float]:
    """Which of the keys are to be forgotten, and when that was asked (seconds since 1970)."""
    by_digest = {rows.digest(*key): key for key in keys}
    if not by_digest:
        return {}
    t = tables.forgotten.c
    found = await connection.execute(select(t.digest, t.at).where(t.digest.in_(list(by_digest))))
    return {by_digest[row.digest]: row.at for row in found}


async def _figures(connection: AsyncConnection, received: Sequence[Received]) -> None:
    risks = [r.record for r in received if isinstance(r.record, BrandRisk)]
    new = rows.newest(map(rows.risk_row, risks), "brand", "bucket")
    await _put(connection, tables.brand_risk, new, older="version")
    incidents = [rows.incident_row(k, k.incident) for k in risks if k.incident is not None]
    await _put(connection, tables.incidents, rows.newest(incidents, "incident_id"), older="version")
    signals = [
        rows.signal_row(r.record, written=r.written)
        for r in received
        if isinstance(r.record, FitSignal)
    ]
    await _put(connection, tables.fit_signals, rows.newest(signals, "key"), older="version")
    letters = [rows.letter_row(r, r.record) for r in received if isinstance(r.record, DeadLetter)]
    await _put(connection, tables.dead_letters, letters)


async def _put(
    connection: AsyncConnection, table: Table, new: list[Row], *, older: str | None = None
) -> None:
    """Upserts; where `older` names a column, a row with a higher one stays as it is."""
    if not new:
        return
    insert = _insert(connection, table)
    keys = ["mention_id"] if table is tables.mentions else [c.name for c in table.primary_key]
    changed = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in keys}
    where: Any = None if older is None else table.c[older] <= insert.excluded[older]
    if table is tables.mentions:
        # The version has been looked at; by `written` alone an older one could win.
        where = or_(table.c.version < insert.excluded["version"], where)
    upsert = insert.on_conflict_do_update(index_elements=keys, set_=changed, where=where)
    await connection.execute(upsert, new)


def _insert(connection: AsyncConnection, table: Table) -> Any:
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)
