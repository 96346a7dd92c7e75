"""The web application over a read model: API, pages, live updates."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles

from listener import __version__
from listener.web import api, api_figures, pages
from listener.web.problems import handle_problems
from listener.web.site import SafeHeaders, Site

HERE: Final = Path(__file__).parent
ABOUT: Final = (
    "What Listener knows: alerts and what is done with them, mentions, brand risk, fit. Show a "
    "token as Authorization: Bearer …; in a browser's session changes carry the header "
    "X-CSRF-Token, which /api/v1/me tells."
)


def create_app(site: Site) -> FastAPI:
    """Everything that a browser or a script may ask of this read model."""
    app = FastAPI(
        title="Listener",
        version=__version__,
        description=ABOUT,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.site = site
    app.state.templates = pages.make_templates()
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.include_router(api.router)
    app.include_router(api_figures.router)
    app.include_router(pages.router)
    app.add_api_route("/healthz", _alive, include_in_schema=False)
    handle_problems(app, app.state.templates)
    app.add_middleware(SafeHeaders)
    return app


async def _alive(request: Request) -> Response:
    """For probes: the database answers. Tells nothing else."""
    await request.app.state.site.store.ledger.offsets()
    return PlainTextResponse("ok")
