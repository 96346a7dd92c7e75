"""The API under /api/v1: mentions, brands, fit, dead letters, health and audit."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from listener.codec import decode
from listener.records import DeadLetter
from listener.store import MentionFilter
from listener.web.answers import PROBLEMS, Limit, Name, Range, Text, answer, listed, raw, seconds
from listener.web.api import Cursor, Me
from listener.web.identity import Identity
from listener.web.site import Site, admin, plain, site_of, who
from listener.web.view_brand import brand_figures
from listener.web.view_fit import nudges
from listener.web.view_health import health_figures

MOST_ROWS = 50_000
"""Rows of one export."""
COLUMNS = ("event_time", "network", "channel", "author", "text", "brands", "issue", "sentiment",
           "severity", "customer_id", "tier", "uri", "mention_id")  # fmt: skip
Admin = Annotated[Identity, Depends(admin)]
Sentiment = Literal["neg", "neu", "pos", "unjudged"]

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


async def wanted_mentions(
    q: Annotated[Text | None, Query(description="Words that all occur; rout* begins with.")] = None,
    brand: Text | None = None,
    issue: Text | None = None,
    channel: Text | None = None,
    network: Text | None = None,
    sentiment: Sentiment | None = None,
    subject: Text | None = None,
    customer_id: Text | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> MentionFilter:
    """What a search asks."""
    return MentionFilter(
        q=q, brand=brand, issue=issue, channel=channel, network=network, sentiment=sentiment,
        subject=subject, customer_id=customer_id, since=seconds(since), until=seconds(until),
    )  # fmt: skip


Wanted = Annotated[MentionFilter, Depends(wanted_mentions)]


@router.get("/mentions", tags=["mentions"])
async def mentions(
    request: Request, me: Me, wanted: Wanted, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Mentions with their judgement and customer, newest first."""
    page = await site_of(request).store.mentions.find(wanted, cursor=cursor, limit=limit)
    return answer(request, listed(page, [raw(record) for record in page.items]))


@router.get("/mentions.csv", tags=["mentions"], response_class=StreamingResponse)
async def mentions_csv(request: Request, me: Me, wanted: Wanted) -> StreamingResponse:
    """The same as CSV, at most 50,000 rows."""
    site = site_of(request)
    shown = msgspec.json.encode(wanted).decode()
    await site.store.note(
        at=site.clock(), actor=me.name, role=me.role, what="export", target="mentions",
        detail=shown[:500],
    )  # fmt: skip
    headers = {"Content-Disposition": 'attachment; filename="mentions.csv"'}
    return StreamingResponse(
        _csv(site, wanted), media_type="text/csv; charset=utf-8", headers=headers
    )


async def _csv(site: Site, wanted: MentionFilter) -> AsyncIterator[str]:
    yield _line(COLUMNS)
    cursor, rows = None, 0
    while rows < MOST_ROWS:
        page = await site.store.mentions.find(wanted, cursor=cursor, limit=500)
        yield "".join(_line(_cells(plain(record))) for record in page.items)
        rows += len(page.items)
        cursor = page.next
        if cursor is None:
            return


def _cells(linked: dict[str, Any]) -> list[object]:
    mention, judgement = linked["mention"], linked["judgement"]
    labels = judgement.get("labels") or {}
    grades = labels.get("severity") or ()
    author = mention["author"]
    return [
        mention["event_time"], mention["network"], mention.get("channel", "public"),
        author.get("handle") or author["id"], mention["text"], " ".join(mention.get("brands", ())),
        _top(labels.get("issue")), _top(labels.get("sentiment")),
        round(sum(grade * p for grade, p in enumerate(grades)), 2) if grades else "",
        linked["link"].get("customer_id") or "", linked["link"].get("tier", "none"),
        mention.get("uri") or "", mention["mention_id"],
    ]  # fmt: skip


def _top(shares: dict[str, float] | None) -> str:
    return max(shares, key=shares.__getitem__) if shares else ""


def _line(cells: Any) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def _harmless(cell: object) -> object:
    """A spreadsheet would run a text that begins like a formula."""
    text = str(cell)
    return (
        f"'{text}"
        if isinstance(cell, str) and text[:1] in ("=", "+", "-", "@", "\t", "\r")
        else cell
    )


@router.get("/brands", tags=["brand"])
async def brands(request: Request, me: Me) -> Response:
    """The newest figures of every brand, the one most at risk first."""
    found = await site_of(request).store.figures.brands()
    return answer(request, {"items": [raw(record) for record in found.values()]})


@router.get("/brands/{brand}", tags=["brand"])
async def brand(
    request: Request, me: Me, brand: Annotated[Name, Path()], range: Range = "7d"
) -> Response:
    """One brand over a range: volume with its usual band, share of negatives, risk, incidents."""
    found = await brand_figures(site_of(request), brand, range)
    if found is None:
        raise HTTPException(404, f"no figures of {brand}")
    return answer(request, found)


@router.get("/fit", tags=["fit"])
async def fit(request: Request, me: Me) -> Response:
    """The newest signal of each segment, dimension and band, how many are at each stage, and who
    may need help."""
    site = site_of(request)
    figures = site.store.figures
    signals, stages = await figures.signals(), await figures.stages()
    items = [raw(record) for record in signals]
    return answer(request, {"items": items, "stages": stages, "nudges": await nudges(site)})


@router.get("/dead-letters", tags=["health"])
async def letters(
    request: Request,
    me: Annotated[Identity, Depends(who)],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """What no hop could process, newest first."""
    page = await site_of(request).store.ledger.letters(cursor=cursor, limit=limit)
    items = [{"letter_id": each.letter_id, "letter": raw(each.record)} for each in page.items]
    return answer(request, listed(page, items))


@router.post("/dead-letters/{letter_id}/replay", tags=["health"], status_code=202)
async def replay(request: Request, me: Admin, letter_id: Annotated[Name, Path()]) -> Response:
    """Sends its original to its topic again."""
    site = site_of(request)
    found = await site.store.ledger.letter(letter_id)
    if found is None:
        raise HTTPException(404, f"no dead letter {letter_id}")
    if site.desk is None:
        raise HTTPException(503, "this page is for reading only")
    sent = await site.desk.replay(found.raw_key, decode(found.record, DeadLetter))
    await site.store.note(
        at=site.clock(), actor=me.name, role=me.role, what="replay", target=letter_id
    )
    return answer(request, {"sent": sent}, status=202)


@router.get("/health", tags=["health"])
async def health(request: Request, me: Me) -> Response:
    """Lag and rates of each topic, dead letters by stage, counts and versions."""
    return answer(request, await health_figures(site_of(request)))


@router.get("/audit", tags=["health"])
async def audit(request: Request, me: Admin, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """Who did what, newest first."""
    page = await site_of(request).store.ledger.deeds(cursor=cursor, limit=limit)
    return answer(request, listed(page, [deed._asdict() for deed in page.items]))
