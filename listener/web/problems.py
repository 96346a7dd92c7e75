"""Errors as problem+json (RFC 9457) to scripts, as a short page to people."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment
from starlette.exceptions import HTTPException

from listener.errors import BrokerError, InputError
from listener.store import StoreBusy
from listener.web.site import visitor

logger = logging.getLogger(__name__)
API: Final = "/api/"
MEDIA: Final = "application/problem+json"


def handle_problems(app: FastAPI, templates: Environment) -> None:
    """Registers the handlers."""

    async def answer(
        request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Response:  # fmt: skip
        title = HTTPStatus(status).phrase
        if request.url.path.startswith(API) or "hx-request" in request.headers:
            body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
            content = msgspec.json.encode(body | more)
            return Response(content, status, headers, media_type=MEDIA)
        if status == 401:
            return RedirectResponse("/login", 303)
        page = templates.get_template("error.html")
        me = visitor(request)
        text = page.render(title=title, status=status, detail=detail, me=me, page="")
        return HTMLResponse(text, status, headers)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return await answer(request, error.status_code, str(error.detail), error.headers)

    async def wrong(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        faults = [
            {"at": ".".join(map(str, fault["loc"])), "why": fault["msg"]}
            for fault in error.errors()
        ]
        detail = "; ".join(f"{fault['at']}: {fault['why']}" for fault in faults)
        return await answer(request, 422, detail, errors=faults)

    async def refused(request: Request, error: Exception) -> Response:
        return await answer(request, 400, str(error))

    async def away(request: Request, error: Exception) -> Response:
        logger.warning("the broker did not take it: %s", error)
        return await answer(
            request, 503, "the broker does not answer; try again", {"Retry-After": "5"}
        )

    async def busy(request: Request, error: Exception) -> Response:
        return await answer(request, 503, "too much is asked at once", {"Retry-After": "5"})

    async def failed(request: Request, error: Exception) -> Response:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return await answer(request, 500, "that failed on our side; it is in the log")

    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, wrong)
    app.add_exception_handler(InputError, refused)
    app.add_exception_handler(BrokerError, away)
    app.add_exception_handler(StoreBusy, busy)
    app.add_exception_handler(Exception, failed)
