"""Routes of the page, its fragment, its live updates and its JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, select_autoescape

from listener.store import Store
from listener.web.view import page

HERE: Final = Path(__file__).parent
HEARTBEAT_SECONDS: Final = 15.0
LOOK_SECONDS: Final = 0.5
POLICY: Final = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


def create_app(store: Store, *, title: str = "Listener", closing: asyncio.Event) -> FastAPI:
    """The page over a read model. `closing` ends the open event streams: a stop is quick."""
    app = FastAPI(title=title, docs_url=None, redoc_url=None)
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=select_autoescape(default=True)
    )
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")

    async def render(name: str) -> HTMLResponse:
        content = await asyncio.to_thread(page, store)
        return HTMLResponse(templates.get_template(name).render(title=title, **content))

    @app.middleware("http")
    async def guard(
        request: Request, proceed: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await proceed(request)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @app.get("/", response_class=HTMLResponse)
    async def home() -> HTMLResponse:
        return await render("page.html")

    @app.get("/fragment", response_class=HTMLResponse)
    async def fragment() -> HTMLResponse:
        return await render("content.html")

    @app.get("/events")
    async def events() -> StreamingResponse:
        return StreamingResponse(changes(store, closing), media_type="text/event-stream")

    @app.get("/api/alerts")
    async def alerts() -> Response:
        return _json(await asyncio.to_thread(store.open_alerts))

    @app.get("/api/brands")
    async def brands() -> Response:
        return _json(await asyncio.to_thread(store.brands))

    @app.get("/api/fit")
    async def fit() -> Response:
        return _json(await asyncio.to_thread(store.signals))

    @app.get("/healthz")
    async def health() -> Response:
        return _json(await asyncio.to_thread(store.counts))

    return app


async def changes(store: Store, closing: asyncio.Event) -> AsyncIterator[str]:
    """Server-sent events: one with the revision whenever the read model has changed."""
    seen, silent = -1, 0.0
    while not closing.is_set():
        if store.revision != seen:
            seen, silent = store.revision, 0.0
            yield f"event: changed\ndata: {seen}\n\n"
        elif silent >= HEARTBEAT_SECONDS:
            silent = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(LOOK_SECONDS)
        silent += LOOK_SECONDS


def _json(content: Any) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
