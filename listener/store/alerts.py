"""What the inbox asks."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Select, and_, case, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from listener.store.cursors import Page, read_cursor, write_cursor
from listener.store.tables import alerts, mentions, seen, subjects

STANDING: Final = ("open", "acknowledged", "reopened")
CLOSED: Final = ("resolved", "expired")
STATES: Final = {
    "open": ("open", "reopened"),
    "standing": STANDING,
    "closed": CLOSED,
    "acknowledged": ("acknowledged",),
    "suppressed": ("suppressed",),
    "pending": ("pending",),
}
"""What one may ask for, and the alerts' states that it means; `all` means every one."""
HOUR: Final = 3600.0
RANKS: Final = {"P1": 1, "P2": 2, "P3": 3}


class AlertFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts; None asks for nothing."""

    state: str = "standing"
    brand: str | None = None
    issue: str | None = None
    channel: str | None = None
    priority: str | None = None
    assignee: str | None = None
    receiver: str | None = None
    subject: str | None = None


class FoundAlert(msgspec.Struct, frozen=True):
    """A record as the topic has it, and what stands beside it."""

    alert_id: str
    record: bytes
    handle: str | None
    stage: str | None
    unread: bool


class Standing(NamedTuple):
    """How many alerts of an issue stand; of them P1, past their time, due within the hour, and
    that nobody has taken or been given."""

    issue: str
    all: int
    urgent: int
    late: int
    soon: int
    free: int


class AlertReads:
    """Reads alerts; each call is one short transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(
        self, wanted: AlertFilter, *, actor: str = "", cursor: str | None = None, limit: int = 50
    ) -> Page[FoundAlert]:
        """Those that stand open by priority and due time; closed ones by their last change.

        Raises InputError for a cursor of another list.
        """
        closed = wanted.state in ("closed", "all")
        query = _chosen(_shown(actor), wanted)
        query = _recent(query, cursor) if closed else _pressing(query, cursor)
        async with self._engine.connect() as connection:
            found = list(await connection.execute(query.limit(limit + 1)))
        more = None
        if len(found) > limit:
            last = found[limit - 1]
            place = (last.changed_at,) if closed else (last.rank, last.due_at)
            more = write_cursor((*place, last.alert_id))
        return Page([_found(row) for row in found[:limit]], more)

    async def get(self, alert_id: str, *, actor: str = "") -> FoundAlert | None:
        query = _shown(actor).where(alerts.c.alert_id == alert_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).first()
        return _found(row) if row is not None else None

    async def counts(self, *, actor: str = "") -> dict[str, int]:
        """Standing alerts by priority, `unread` ones of the actor, and `all`."""
        by_rank = (
            select(alerts.c.rank, func.count(), func.count(seen.c.mark))
            .select_from(alerts.outerjoin(seen, _has_seen(actor)))
            .where(alerts.c.state.in_(STANDING))
            .group_by(alerts.c.rank)
        )
        async with self._engine.connect() as connection:
            found = [tuple(row) for row in await connection.execute(by_rank)]
        total = sum(n for _, n, _ in found)
        ranks = {f"P{rank}": n for rank, n, _ in found}
        return {"all": total, "unread": total - sum(read for _, _, read in found)} | ranks

    async def overview(self, *, now: float) -> list[Standing]:
        """Standing alerts by issue, the one with the most first. `now`: seconds since 1970."""
        a = alerts.c
        free = a.state.in_(("open", "reopened")) & a.assignee.is_(None)
        query = (
            select(
                a.issue, func.count(), _how_many(a.rank == 1), _how_many(a.due_at < now),
                _how_many(a.due_at.between(now, now + HOUR)), _how_many(free),
            )
            .where(a.state.in_(STANDING))
            .group_by(a.issue)
            .order_by(func.count().desc(), a.issue)
        )  # fmt: skip
        async with self._engine.connect() as connection:
            return [Standing(*row) for row in await connection.execute(query)]

    async def choices(self) -> dict[str, list[str]]:
        """What may be filtered by: brands, issues, assignees and receivers that alerts have."""
        found: dict[str, list[str]] = {}
        async with self._engine.connect() as connection:
            for name in ("brand", "issue", "assignee"):
                column = alerts.c[name]
                values = await connection.scalars(select(column).distinct().order_by(column))
                found[name] = [value for value in values if value]
            told = await connection.scalars(select(alerts.c.receivers).distinct())
            names = {name for each in told for name in each.split("|") if name}
            found["receiver"] = sorted(names)
        return found


def _how_many(condition: Any) -> Any:
    return func.sum(case((condition, 1), else_=0))


def _has_seen(actor: str) -> Any:
    return and_(
        seen.c.alert_id == alerts.c.alert_id,
        seen.c.actor == actor,
        seen.c.mark >= alerts.c.mark,
    )


def _shown(actor: str) -> Select[Any]:
    a = alerts.c
    return select(
        a.alert_id, a.record, a.rank, a.due_at, a.changed_at, subjects.c.handle, subjects.c.stage,
        seen.c.mark,
    ).select_from(
        alerts.outerjoin(subjects, subjects.c.subject == a.subject).outerjoin(
            seen, _has_seen(actor)
        )
    )  # fmt: skip


def _chosen(query: Select[Any], wanted: AlertFilter) -> Select[Any]:
    a = alerts.c
    if wanted.state != "all":
        query = query.where(a.state.in_(STATES.get(wanted.state, (wanted.state,))))
    for name in ("brand", "issue", "assignee", "subject"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(a[name] == value)
    if wanted.priority is not None:
        query = query.where(a.rank == RANKS.get(wanted.priority, 0))
    if wanted.receiver is not None:
        query = query.where(a.receivers.contains(f"|{wanted.receiver}|", autoescape=True))
    if wanted.channel is not None:
        of = select(mentions.c.id).where(
            mentions.c.mention_id == a.first, mentions.c.channel == wanted.channel
        )
        query = query.where(of.exists())
    return query


def _pressing(query: Select[Any], cursor: str | None) -> Select[Any]:
    order = (alerts.c.rank, alerts.c.due_at, alerts.c.alert_id)
    if cursor is not None:
        query = query.where(tuple_(*order) > read_cursor(cursor, (int, float, str)))
    return query.order_by(*order)


def _recent(query: Select[Any], cursor: str | None) -> Select[Any]:
    order = (alerts.c.changed_at, alerts.c.alert_id)
    if cursor is not None:
        query = query.where(tuple_(*order) < read_cursor(cursor, (float, str)))
    return query.order_by(*(column.desc() for column in order))


def _found(row: Any) -> FoundAlert:
    return FoundAlert(row.alert_id, row.record, row.handle, row.stage, row.mark is None)
