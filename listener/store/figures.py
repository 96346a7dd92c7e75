"""What the pages of brand and fit ask."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from listener.store.tables import BUCKET, brand_risk, fit_signals, incidents, subjects, volumes

HOUR: Final = 3600


class Volume(NamedTuple):
    """Mentions of one brand in one hour (hours since 1970), issue and sentiment."""

    brand: str
    hour: int
    issue: str
    sentiment: str
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

    async def volumes(
        self, *, since: float, until: float, brand: str | None = None, step: int = 1
    ) -> list[Volume]:
        """Mentions by each `step` hours, issue and sentiment; with `brand` None summed over all but
        brand and sentiment."""
        v = volumes.c
        span = (v.hour >= int(since // HOUR), v.hour <= int(until // HOUR), v["count"] > 0)
        total = func.sum(v["count"])
        begins = v.hour - v.hour % step
        query: Any
        if brand is not None:
            query = select(v.brand, begins, v.issue, v.sentiment, total).where(v.brand == brand)
            query = query.group_by(v.brand, begins, v.issue, v.sentiment).order_by(begins)
        else:
            query = select(v.brand, func.max(v.hour), func.max(v.issue), v.sentiment, total)
            query = query.group_by(v.brand, v.sentiment)
        async with self._engine.connect() as connection:
            return [Volume(*row) for row in await connection.execute(query.where(*span))]

    async def totals(self, brand: str, *, since: float, until: float, step: int) -> dict[int, int]:
        """Mentions of a brand by the number of each `step` hours since 1970."""
        v = volumes.c
        begins = v.hour - v.hour % step
        query = (
            select(begins, func.sum(v["count"]))
            .where(v.brand == brand, v.hour >= int(since // HOUR), v.hour <= int(until // HOUR))
            .group_by(begins)
        )
        async with self._engine.connect() as connection:
            return {hour // step: int(n) for hour, n in await connection.execute(query)}

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

    async def people(self, stage: str, *, limit: int = 20) -> list[Person]:
        """Who was last heard at a stage, newest first."""
        s = subjects.c
        query = (
            select(s.subject, s.handle, s.customer_id, s.segment, s.version)
            .where(s.stage == stage)
            .order_by(s.version.desc())
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return [Person(*row) for row in await connection.execute(query)]

    async def person(self, subject: str) -> Person | None:
        s = subjects.c
        query = select(s.subject, s.handle, s.customer_id, s.segment, s.version)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query.where(s.subject == subject))).first()
        return Person(*row) if row is not None else None
