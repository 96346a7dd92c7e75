"""JSON answers with ETags, and the shapes that requests have."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from listener.store import FoundAlert, Page

Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
State = Literal["open", "standing", "acknowledged", "suppressed", "pending", "closed", "all"]
Range = Literal["24h", "7d", "28d"]
Kind = Literal["acknowledge", "resolve", "wrong", "assign", "silence", "link", "unlink"]
Limit = Annotated[int, Query(ge=1, le=200)]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/problem+json": {}}}
    for status, text in (
        (400, "A cursor or value that is not one."),
        (401, "Nobody that we know."),
        (403, "Not allowed to this role, or sent from elsewhere."),
        (404, "Not there."),
        (422, "A value that does not fit; `errors` has each."),
        (429, "Too much at once."),
        (503, "The broker does not answer."),
    )
}


class Act(BaseModel):
    """What a person does with an alert."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    note: Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")] | None = None
    assignee: Name | None = None
    until: AwareDatetime | None = None
    customer_id: Name | None = None

    @model_validator(mode="after")
    def whole(self) -> Act:
        needs = {"assign": "assignee", "silence": "until", "link": "customer_id",
                 "unlink": "customer_id"}.get(self.kind)  # fmt: skip
        if needs is not None and getattr(self, needs) is None:
            raise ValueError(f"{self.kind} needs {needs}")
        return self


class BulkAct(Act):
    """The same for several alerts."""

    alert_ids: Annotated[list[Name], Field(min_length=1, max_length=200)]


def answer(request: Request, content: Any, *, status: int = 200) -> Response:
    """JSON; 304 where the asker has the same already."""
    body = msgspec.json.encode(content)
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    asked = request.headers.get("if-none-match", "")
    known = {part.strip().removeprefix("W/") for part in asked.split(",")}
    if request.method == "GET" and (tag in known or asked.strip() == "*"):
        return Response(status_code=304, headers=headers)
    return Response(body, status, headers, media_type="application/json")


def raw(record: bytes) -> msgspec.Raw:
    return msgspec.Raw(record)


def alert_item(found: FoundAlert) -> dict[str, Any]:
    return {
        "unread": found.unread,
        "handle": found.handle,
        "stage": found.stage,
        "alert": raw(found.record),
    }


def listed(page: Page[Any], items: list[Any]) -> dict[str, Any]:
    return {"items": items, "next": page.next}


def seconds(at: datetime | None) -> float | None:
    return at.timestamp() if at is not None else None
