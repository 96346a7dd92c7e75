"""The pages and their fragments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, select_autoescape

from listener import __version__
from listener.store import AlertFilter, MentionFilter
from listener.web import words
from listener.web.answers import Name, Range, State, Text
from listener.web.identity import COOKIE, SESSION_SECONDS, Identity
from listener.web.site import Site, foreign, limited, peer_of, plain, site_of, visitor, who
from listener.web.view_brand import brand_figures
from listener.web.view_fit import fit_view, funnel, nudges, signal_view
from listener.web.view_health import health_figures, letter_view
from listener.web.view_inbox import alert_view, link_view, mention_view, texts_of, words_view
from listener.web.view_inbox import overview as overview_of

HERE: Final = Path(__file__).parent
CHANNELS: Final = ("public", "review", "support")
Me = Annotated[Identity, Depends(who)]
Cursor = Annotated[Text | None, Query()]

router = APIRouter(include_in_schema=False)


def make_templates() -> Environment:
    """Every value is escaped, whatever it says."""
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.globals.update(words=words, version=__version__, say=words.say)
    found.filters.update(percent=words.percent, number=words.number, times=words.times)
    found.filters.update(zip_self=lambda names: [(name, name) for name in names])
    found.filters.update(issue_names=lambda names: [(n, words.say(words.ISSUES, n)) for n in names])
    return found


def render(request: Request, name: str, me: Identity | None, **more: Any) -> HTMLResponse:
    site = site_of(request)
    now = site.clock()
    content = {"me": me, "now": now, "when": lambda at: words.when(at, now), "site": site}
    template = request.app.state.templates.get_template(name)
    return HTMLResponse(template.render(content | more))


async def wanted_alerts(
    state: State = "standing",
    brand: Text | None = None,
    issue: Text | None = None,
    channel: Text | None = None,
    priority: Text | None = None,
    receiver: Text | None = None,
    mine: bool = False,
) -> dict[str, Any]:
    """The inbox's filters; an empty one asks for nothing."""
    chosen = {"brand": brand, "issue": issue, "channel": channel, "priority": priority,
              "receiver": receiver}  # fmt: skip
    return {"state": state, "mine": mine} | {k: v or None for k, v in chosen.items()}


Wanted = Annotated[dict[str, Any], Depends(wanted_alerts)]


async def _alerts(site: Site, me: Identity, wanted: Mapping[str, Any], cursor: str | None) -> Any:
    chosen = {key: value for key, value in wanted.items() if key != "mine"}
    if wanted["mine"]:
        chosen["assignee"] = me.name
    page = await site.store.alerts.find(
        AlertFilter(**chosen), actor=me.name, cursor=cursor, limit=60
    )
    now = site.clock()
    return {
        "alerts": [alert_view(found, now=now) for found in page.items],
        "next": page.next,
        "counts": await site.store.alerts.counts(actor=me.name),
        "wanted": wanted,
        "query": urlencode({k: v for k, v in wanted.items() if v}),
    }


@router.get("/")
async def inbox(
    request: Request, me: Me, wanted: Wanted, alert: Text | None = None
) -> HTMLResponse:
    site = site_of(request)
    content = await _alerts(site, me, wanted, None)
    choices = await site.store.alerts.choices()
    shown = await _alert(site, me, alert) if alert else None
    content["standing"] = await _overview(site)
    return render(request, "inbox.html", me, page="inbox", choices=choices, channels=CHANNELS,
                  chosen=alert if shown else None, shown=shown, **content)  # fmt: skip


@router.get("/inbox/overview")
async def inbox_overview(request: Request, me: Me) -> HTMLResponse:
    standing = await _overview(site_of(request))
    return render(request, "overview.html", me, standing=standing)


async def _overview(site: Site) -> dict[str, Any]:
    async def reckon() -> dict[str, Any]:
        found = await site.store.alerts.overview(now=site.clock().timestamp())
        return overview_of(found, await site.store.figures.brands())

    told: dict[str, Any] = await site.lately.get("overview", reckon)
    return told


@router.get("/inbox/list")
async def inbox_list(
    request: Request, me: Me, wanted: Wanted, cursor: Cursor = None, chosen: Text | None = None
) -> HTMLResponse:
    content = await _alerts(site_of(request), me, wanted, cursor)
    name = "inbox_items.html" if cursor else "inbox_list.html"
    return render(request, name, me, chosen=chosen, **content)


@router.get("/inbox/alert/{alert_id}")
async def inbox_alert(request: Request, me: Me, alert_id: Name) -> HTMLResponse:
    shown = await _alert(site_of(request), me, alert_id)
    if shown is None:
        raise HTTPException(404, "this alert is not there any more")
    return render(request, "alert.html", me, shown=shown)


async def _alert(site: Site, me: Identity, alert_id: str) -> dict[str, Any] | None:
    found = await site.store.alerts.get(alert_id, actor=me.name)
    if found is None:
        return None
    view = alert_view(found, now=site.clock())
    subject, evidence = view["record"]["subject"], view["record"].get("evidence") or ()
    thread = await site.store.mentions.threads(evidence)
    in_thread = {plain(record)["mention"]["mention_id"] for record in thread}
    others = await site.store.mentions.find(MentionFilter(subject=subject), limit=20)
    past = await site.store.alerts.find(AlertFilter(state="all", subject=subject), limit=10)
    earlier = [mention_view(record) for record in others.items]
    return {
        "alert": view,
        "link": link_view(view["record"]),
        "thread": [mention_view(record, marked=evidence) for record in thread],
        "earlier": [m for m in earlier if m["id"] not in in_thread][:12],
        "past": [alert_view(a, now=site.clock()) for a in past.items if a.alert_id != alert_id],
        "person": await site.store.figures.person(subject),
    }


@router.get("/inbox/alert/{alert_id}/why")
async def inbox_why(request: Request, me: Me, alert_id: Name) -> HTMLResponse:
    site = site_of(request)
    found = await site.store.alerts.get(alert_id)
    record = plain(found.record) if found else {}
    evidence = record.get("evidence") or ()
    first = await site.store.mentions.get(list(evidence)[:1])
    told: list[dict[str, Any]] = []
    if first and site.explainer is not None:
        text, lang = texts_of(first[0])
        reasons = [reason["code"] for reason in record.get("reasons") or ()]
        told = words_view(text, await site.explainer.explain(text, lang), reasons=reasons)
    return render(request, "why.html", me, told=told)


@router.get("/brand")
async def brand_page(
    request: Request, me: Me, brand: Text | None = None, range: Range = "7d"
) -> HTMLResponse:
    site = site_of(request)
    newest = await site.store.figures.brands()
    chosen = brand if brand in newest else next(iter(newest), None)
    shown = await brand_figures(site, chosen, range) if chosen else None
    record = plain(newest[chosen]) if chosen else {}
    evidence = await site.store.mentions.get(list(record.get("evidence") or ())[-8:])
    return render(request, "brand.html", me, page="brand", brands=list(newest), brand=chosen,
                  range=range, ranges=("24h", "7d", "28d"), shown=shown, record=record,
                  evidence=[mention_view(e) for e in evidence][::-1])  # fmt: skip


@router.get("/fit")
async def fit_page(
    request: Request, me: Me, band: Text | None = None, dimension: Text | None = None
) -> HTMLResponse:
    site = site_of(request)
    figures = site.store.figures
    signals = [plain(record) for record in await figures.signals()]
    stages = funnel(await site.lately.get("stages", figures.stages))
    return render(request, "fit.html", me, page="fit", stages=stages, nudges=await nudges(site),
                  advocates=await figures.people("advocate", limit=8),
                  risky=await figures.people("at_risk", limit=8),
                  **fit_view(signals, band=band, dimension=dimension))  # fmt: skip


@router.get("/fit/evidence")
async def fit_evidence(
    request: Request, me: Me, segment: Text, dimension: Text, band: Text
) -> HTMLResponse:
    """What is behind one figure."""
    site = site_of(request)
    signals = [plain(record) for record in await site.store.figures.signals()]
    asked = (segment, dimension, band)
    found = [s for s in signals if (s["segment"], s["dimension"], s["band"]) == asked]
    if not found:
        raise HTTPException(404, "no such figure any more")
    records = await site.store.mentions.get(found[0].get("evidence") or ())
    return render(request, "fit_evidence.html", me, signal=signal_view(found[0]),
                  evidence=[mention_view(record) for record in records])  # fmt: skip


async def asked_mentions(
    q: Text | None = None,
    brand: Text | None = None,
    issue: Text | None = None,
    channel: Text | None = None,
    sentiment: Text | None = None,
    subject: Text | None = None,
) -> dict[str, Any]:
    asked = {"q": q, "brand": brand, "issue": issue, "channel": channel, "sentiment": sentiment,
             "subject": subject}  # fmt: skip
    return {key: value or None for key, value in asked.items()}


Asked = Annotated[dict[str, Any], Depends(asked_mentions)]


@router.get("/mentions")
async def mentions_page(
    request: Request, me: Me, asked: Asked, cursor: Cursor = None
) -> HTMLResponse:
    store = site_of(request).store
    page = await store.mentions.find(MentionFilter(**asked), cursor=cursor)
    name = "mention_items.html" if cursor else "mentions.html"
    return render(request, name, me, page="mentions", asked=asked, channels=CHANNELS,
                  query=urlencode({k: v for k, v in asked.items() if v}), next=page.next,
                  brands=list(await store.figures.brands()),
                  mentions=[mention_view(record) for record in page.items])  # fmt: skip


@router.get("/health")
async def health_page(request: Request, me: Me) -> HTMLResponse:
    site = site_of(request)
    letters = await site.store.ledger.letters(limit=25)
    deeds = (await site.store.ledger.deeds(limit=15)).items if me.admin else []
    return render(request, "health.html", me, page="health", health=await health_figures(site),
                  letters=[letter_view(each) for each in letters.items], deeds=deeds)  # fmt: skip


@router.get("/docs")
async def docs(request: Request, me: Me) -> HTMLResponse:
    return render(request, "docs.html", me, page="docs", spec=request.app.openapi())


@router.get("/login")
async def login_page(request: Request, wrong: bool = False) -> Response:
    me = visitor(request)
    if me is not None:
        return RedirectResponse("/", 303)
    return render(request, "login.html", None, page="login", wrong=wrong)


@router.post("/login")
async def login(request: Request, token: Annotated[str, Form(max_length=500)]) -> Response:
    site = site_of(request)
    limited(site.logins.wait(peer_of(request)))
    foreign(request)
    found = site.access.find(token.strip())
    if found is None:
        return RedirectResponse("/login?wrong=1", 303)
    await site.store.note(
        at=site.clock(), actor=found.name, role=found.role, what="login", target="page"
    )
    answer = RedirectResponse("/", 303)
    secure = site.access.secure or request.url.scheme == "https"
    answer.set_cookie(
        COOKIE, site.access.session(found), max_age=SESSION_SECONDS, httponly=True,
        samesite="lax", secure=secure, path="/",
    )  # fmt: skip
    return answer


@router.post("/logout")
async def logout(request: Request) -> Response:
    foreign(request)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, path="/")
    return answer
