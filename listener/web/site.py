"""What the routes share, and the checks before each of them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from fastapi import HTTPException, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from listener.ports import Clock, Desk, Explainer, Progress
from listener.store import Store
from listener.web.events import Hub
from listener.web.identity import Access, Identity
from listener.web.lately import Lately
from listener.web.limits import Limit

SAFE: Final = ("GET", "HEAD", "OPTIONS")
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a route may use. Without `desk` the page is for reading only."""

    store: Store
    access: Access
    hub: Hub
    closing: asyncio.Event
    clock: Clock
    desk: Desk | None = None
    explainer: Explainer | None = None
    progress: Progress | None = None
    versions: Mapping[str, str] = msgspec.field(default_factory=dict)
    rules: Mapping[str, float] = msgspec.field(default_factory=dict)
    """Thresholds of the policy, to be named beside a figure: scores `p2`, `p3`; burn by window."""
    lately: Lately = msgspec.field(default_factory=Lately)
    reads: Limit = msgspec.field(default_factory=lambda: Limit(rate=100, burst=300))
    writes: Limit = msgspec.field(default_factory=lambda: Limit(rate=5, burst=60))
    logins: Limit = msgspec.field(default_factory=lambda: Limit(rate=0.2, burst=10))


def site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def peer_of(request: Request) -> str:
    return request.client.host if request.client else ""


def visitor(request: Request) -> Identity | None:
    """Who asks, if it can be told."""
    return site_of(request).access.identify(request.headers, request.cookies, peer=peer_of(request))


async def who(request: Request) -> Identity:
    """Who asks. Raises 401, 403 where a change lacks its token, and 429 for too much.

    Like all that routes depend on a coroutine without a wait: plain functions are sent to a
    thread, which costs more than they do.
    """
    found = visitor(request)
    if found is None:
        raise HTTPException(401, "say who you are: a token, a session or your proxy's header")
    site = site_of(request)
    writes = request.method not in SAFE
    if writes and found.by != "token":
        _same_origin(request, found)
    limited((site.writes if writes else site.reads).wait(found.name))
    return found


def _same_origin(request: Request, found: Identity) -> None:
    if request.headers.get("x-csrf-token") != found.csrf:
        raise HTTPException(403, "the header X-CSRF-Token is missing or wrong; reload the page")
    foreign(request)


def foreign(request: Request) -> None:
    """Raises 403 for what another site's page sends."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "sent from another site")


def limited(wait: float) -> None:
    if wait > 0:
        seconds = str(math.ceil(wait))
        raise HTTPException(429, "too much at once; wait a little", {"Retry-After": seconds})


async def actor(request: Request) -> Identity:
    """One who may act on alerts. Raises 403."""
    found = await who(request)
    if not found.acts:
        raise HTTPException(403, f"the role {found.role} may look, not act; ask an administrator")
    return found


async def admin(request: Request) -> Identity:
    """Raises 403."""
    found = await who(request)
    if not found.admin:
        raise HTTPException(403, "for administrators only")
    return found


class SafeHeaders:
    """Adds the headers that tell browsers what a page of ours may do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if not scope["path"].startswith("/static/") and "cache-control" not in headers:
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def plain(value: Any) -> Any:
    """A record's JSON as plain values."""
    return msgspec.json.decode(value)
