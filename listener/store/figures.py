"""What the pages of brand and fit ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from listener.store.tables import (
    BUCKET,
    brand_risk,
    fit_signals,
    hours,
    incidents,
    issue_hours,
    offers,
    subjects,
)

HOUR: Final = 3600
_PERSON: Final = select(
    subjects.c.subject,
    subjects.c.handle,
    subjects.c.customer_id,
    subjects.c.segment,
    subjects.c.version,
)


class Heard(NamedTuple):
    """Mentions of a brand, and how many of them are negative."""

    mentions: int
    negative: int


class IssueCount(NamedTuple):
    """Mentions of one issue in one step (by its number since 1970)."""

    step: int
    issue: str
    mentions: int


class Burst(NamedTuple):
    """An incident. Times in seconds since 1970; None while it goes on."""

    incident_id: str
    kind: str
    started_at: float
    ended_at: float | None
    peak: float


class Person(NamedTuple):
    subject: str
    handle: str | None
    customer_id: str | None
    segment: str
    at: float


class Offer(NamedTuple):
    """Whom to offer help, and why; `kind` is education or onboarding_call."""

    customer_id: str
    kind: str
    reason: str
    at: float


class FigureReads:
    """Reads brand and fit figures; each call is one short transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def brands(self) -> dict[str, bytes]:
        """The newest figures of each brand."""
        last = select(brand_risk.c.brand, func.max(brand_risk.c.bucket).label("bucket"))
        newest = last.group_by(brand_risk.c.brand).subquery()
        query = (
            select(brand_risk.c.brand, brand_risk.c.record)
            .join(
                newest,
                (brand_risk.c.brand == newest.c.brand) & (brand_risk.c.bucket == newest.c.bucket),
            )
            .order_by(brand_risk.c.risk.desc(), brand_risk.c.brand)
        )
        async with self._engine.connect() as connection:
            return {row.brand: row.record for row in await connection.execute(query)}

    async def history(
        self, brand: str, *, since: float, until: float, step: int = HOUR
    ) -> list[bytes]:
        """A brand's figures over time, the last of each `step` seconds, oldest first."""
        b, width = brand_risk.c, max(step // BUCKET, 1)
        span = (
            b.brand == brand,
            b.bucket >= int(since // BUCKET),
            b.bucket <= int(until // BUCKET),
        )
        last = select(func.max(b.bucket)).where(*span).group_by(b.bucket - b.bucket % width)
        query = select(b.record).where(b.brand == brand, b.bucket.in_(last)).order_by(b.bucket)
        async with self._engine.connect() as connection:
            return list(await connection.scalars(query))

    async def heard(self, brand: str, *, since: float, until: float, step: int) -> dict[int, Heard]:
        """A brand's mentions by the number of each `step` hours since 1970."""
        h = hours.c
        begins = h.hour - h.hour % step
        query = select(begins, func.sum(h["count"]), func.sum(h.negative)).where(
            h.brand == brand, *_within(h.hour, since, until)
        )
        async with self._engine.connect() as connection:
            found = await connection.execute(query.group_by(begins))
            return {hour // step: Heard(int(n), int(negative)) for hour, n, negative in found}

    async def voices(self, *, since: float, until: float) -> dict[str, Heard]:
        """Mentions of every brand, the one that most is said of first."""
        h = hours.c
        total = func.sum(h["count"])
        query = select(h.brand, total, func.sum(h.negative)).where(
            h.brand != "", *_within(h.hour, since, until)
        )
        query = query.group_by(h.brand).having(total > 0).order_by(total.desc(), h.brand)
        async with self._engine.connect() as connection:
            found = await connection.execute(query)
            return {brand: Heard(int(n), int(negative)) for brand, n, negative in found}

    async def issues(
        self, brand: str, *, since: float, until: float, step: int
    ) -> list[IssueCount]:
        """A brand's mentions by each `step` hours and issue."""
        i = issue_hours.c
        begins = i.hour - i.hour % step
        total = func.sum(i["count"])
        query = select(begins, i.issue, total).where(
            i.brand == brand, *_within(i.hour, since, until)
        )
        query = query.group_by(begins, i.issue).having(total > 0)
        async with self._engine.connect() as connection:
            found = await connection.execute(query)
            return [IssueCount(hour // step, issue, int(n)) for hour, issue, n in found]

    async def incidents(self, brand: str, *, since: float, until: float) -> list[Burst]:
        """Those that overlap the range, newest first."""
        i = incidents.c
        query = (
            select(i.incident_id, i.kind, i.started_at, i.ended_at, i.peak)
            .where(i.brand == brand, i.started_at <= until)
            .where((i.ended_at.is_(None)) | (i.ended_at >= since))
            .order_by(i.started_at.desc())
            .limit(50)
        )
        async with self._engine.connect() as connection:
            return [Burst(*row) for row in await connection.execute(query)]

    async def signals(self) -> list[bytes]:
        query = select(fit_signals.c.record).order_by(fit_signals.c.key)
        async with self._engine.connect() as connection:
            return list(await connection.scalars(query))

    async def stages(self) -> dict[str, int]:
        """How many people are at each stage."""
        query = select(subjects.c.stage, func.count()).group_by(subjects.c.stage)
        async with self._engine.connect() as connection:
            return {stage: n for stage, n in await connection.execute(query)}

    async def people(
        self,
        stage: str,
        *,
        stuck: bool | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 20,
    ) -> list[Person]:
        """Who was last heard at a stage, newest first; `since` and `until` bound that time."""
        s = subjects.c
        query = _PERSON.where(s.stage == stage).order_by(s.version.desc()).limit(limit)
        if stuck is not None:
            query = query.where(s.stuck.is_(stuck))
        if since is not None:
            query = query.where(s.version >= since)
        if until is not None:
            query = query.where(s.version <= until)
        async with self._engine.connect() as connection:
            return [Person(*row) for row in await connection.execute(query)]

    async def customers(self, names: Sequence[str]) -> dict[str, Person]:
        """What is known of customers, by their id."""
        s = subjects.c
        query = _PERSON.where(s.customer_id.in_(list(names))).order_by(s.version)
        async with self._engine.connect() as connection:
            found = [Person(*row) for row in await connection.execute(query)]
        return {person.customer_id: person for person in found if person.customer_id}

    async def offers(self, *, since: float, limit: int = 20) -> list[Offer]:
        """Newest first."""
        o = offers.c
        query = select(o.customer_id, o.kind, o.reason, o.version).where(o.version >= since)
        async with self._engine.connect() as connection:
            found = await connection.execute(query.order_by(o.version.desc()).limit(limit))
            return [Offer(*row) for row in found]

    async def person(self, subject: str) -> Person | None:
        async with self._engine.connect() as connection:
            row = (await connection.execute(_PERSON.where(subjects.c.subject == subject))).first()
        return Person(*row) if row is not None else None


def _within(hour: Any, since: float, until: float) -> tuple[Any, ...]:
    return hour >= int(since // HOUR), hour <= int(until // HOUR)
