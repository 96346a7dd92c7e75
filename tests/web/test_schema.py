"""Whatever fits the description, and much that does not: no server error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from listener.web.limits import Limit
from tests.web.pages import Served, serve, world

EXAMPLES: Final = int(os.environ.get("LISTENER_SCHEMA_EXAMPLES", "15"))
STREAM: Final = "/api/v1/events"
"""Never ends, so that it has tests of its own."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    wide = Limit(rate=1e6, burst=1e6)
    with serve(tmp_path, reads=wide, writes=wide) as found:
        found.give(*world())
        yield found


def test_no_request_is_a_server_error(served: Served) -> None:
    """schemathesis over every operation of the specification."""
    csrf = httpx.get(f"{served.url}/api/v1/me").json()["csrf"]
    schema = schemathesis.openapi.from_url(f"{served.url}/api/v1/openapi.json")
    seen: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # what is no operation fails the test
        if operation.path == STREAM:
            continue

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def ask(case: Any) -> None:
            answer = case.call(headers={"X-CSRF-Token": csrf})
            seen.setdefault(case.operation.label, set()).add(answer.status_code)
            assert answer.status_code < 500, f"{case.as_curl_command()}: {answer.text}"

        ask()
    assert len(seen) >= 17
    assert all(codes & {200, 202, 204, 400, 404, 422} for codes in seen.values()), seen
