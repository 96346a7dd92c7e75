"""The API: what it gives, what it refuses, and to whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from listener.records import Forget
from listener.store import Store
from listener.web import Access, Change, Hub, Site, create_app
from listener.web.identity import COOKIE
from listener.web.limits import Limit
from tests.alerts import alert
from tests.web.pages import TOKENS, EchoDesk, make_site, named, world
from tests.worlds import NOW, linked


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(f"sqlite:///{tmp_path}/model.db")
    yield opened
    await opened.close()


@pytest.fixture
async def site(store: Store) -> Site:
    site = make_site(store)
    await desk_of(site).give(*world())
    return site


def desk_of(site: Site) -> EchoDesk:
    assert isinstance(site.desk, EchoDesk)
    return site.desk


def client(site: Site, *, host: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(site), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}", headers=headers)


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[name][1]}"}


async def test_alerts_come_in_pages_with_their_whole_record(site: Site) -> None:
    """What the topic has, and what stands beside it; the next page by its cursor."""
    async with client(site) as http:
        first = (await http.get("/api/v1/alerts?limit=2")).json()
        assert [item["alert"]["alert_id"] for item in first["items"]] == ["a2", "a1"]
        assert first["items"][0]["unread"] is True
        rest = await http.get("/api/v1/alerts", params={"cursor": first["next"]})
        assert [item["alert"]["alert_id"] for item in rest.json()["items"]] == ["a3"]
        one = (await http.get("/api/v1/alerts/a1")).json()
        assert [m["mention"]["text"] for m in one["thread"]] == [
            "charged twice, want my money back"
        ]


async def test_what_has_not_changed_is_not_sent_again(site: Site) -> None:
    """ETags."""
    async with client(site) as http:
        tag = (await http.get("/api/v1/alerts")).headers["etag"]
        assert (await http.get("/api/v1/alerts", headers={"If-None-Match": tag})).status_code == 304
        await desk_of(site).give(alert("a9"))
        assert (await http.get("/api/v1/alerts", headers={"If-None-Match": tag})).status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/alerts/none", 404),
        ("/api/v1/alerts?cursor=nonsense", 400),
        ("/api/v1/alerts?limit=0", 422),
        ("/api/v1/brands/none", 404),
        ("/api/v1/nothing", 404),
        ("/api/v1/mentions?since=yesterday", 422),
    ],
)
async def test_errors_are_problems(site: Site, path: str, status: int) -> None:
    """RFC 9457, with what is wrong."""
    async with client(site) as http:
        answer = await http.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["detail"]


async def test_an_action_goes_to_the_topic_and_into_the_audit(site: Site) -> None:
    """202 once the broker has it; who, when and what are kept."""
    async with client(site) as http:
        csrf = (await http.get("/api/v1/me")).json()["csrf"]
        answer = await http.post(
            "/api/v1/alerts/a1/actions",
            json={"kind": "resolve", "note": "called back"},
            headers={"X-CSRF-Token": csrf},
        )
        assert answer.status_code == 202
        deed = (await http.get("/api/v1/audit")).json()["items"][0]
        state = (await http.get("/api/v1/alerts/a1")).json()["alert"]["state"]
    action = desk_of(site).actions[0]
    assert (action.kind, action.subject, action.note) == ("resolve", "x:ann", "called back")
    assert answer.json()["action_id"] == action.action_id
    assert (deed["actor"], deed["what"], deed["target"]) == ("local", "resolve", "a1")
    assert state == "resolved"


async def test_several_at_once_tell_of_each(site: Site) -> None:
    async with client(site) as http:
        csrf = (await http.get("/api/v1/me")).json()["csrf"]
        body = {"kind": "acknowledge", "alert_ids": ["a1", "a2", "gone"]}
        told = await http.post("/api/v1/actions", json=body, headers={"X-CSRF-Token": csrf})
    assert set(told.json()["accepted"]) == {"a1", "a2"}
    assert set(told.json()["failed"]) == {"gone"}


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "explode"},
        {"kind": "assign"},
        {"kind": "silence", "until": "soon"},
        {"kind": "link"},
        {"kind": "resolve", "note": "x" * 3000},
        {"kind": "resolve", "actor": "somebody else"},
    ],
)
async def test_an_action_that_lacks_something_is_refused(site: Site, body: object) -> None:
    async with client(site) as http:
        csrf = (await http.get("/api/v1/me")).json()["csrf"]
        answer = await http.post(
            "/api/v1/alerts/a1/actions", json=body, headers={"X-CSRF-Token": csrf}
        )
    assert answer.status_code == 422
    assert desk_of(site).actions == []


async def test_a_broker_that_is_away_is_a_503(site: Site) -> None:
    """And no line in the audit: it did not happen."""
    desk_of(site).away = True
    async with client(site) as http:
        csrf = (await http.get("/api/v1/me")).json()["csrf"]
        answer = await http.post(
            "/api/v1/alerts/a1/actions", json={"kind": "resolve"}, headers={"X-CSRF-Token": csrf}
        )
        assert answer.status_code == 503
        assert (await http.get("/api/v1/audit")).json()["items"] == []


async def test_changes_need_the_token_of_the_session(site: Site) -> None:
    """Another site's page cannot act, nor can one that reaches us by another name."""
    async with client(site) as http:
        bare = await http.post("/api/v1/alerts/a1/actions", json={"kind": "resolve"})
        csrf = (await http.get("/api/v1/me")).json()["csrf"]
        other = await http.post(
            "/api/v1/alerts/a1/actions",
            json={"kind": "resolve"},
            headers={"X-CSRF-Token": csrf, "Sec-Fetch-Site": "cross-site"},
        )
    async with client(site, host="evil.example") as http:
        renamed = await http.get("/api/v1/alerts")
    assert (bare.status_code, other.status_code, renamed.status_code) == (403, 403, 401)
    assert desk_of(site).actions == []


async def test_roles_may_do_what_they_may(store: Store) -> None:
    """Support acts, marketing looks, administrators also replay and see the audit."""
    site = make_site(store, access=named())
    await desk_of(site).give(*world())
    act, replay = "/api/v1/alerts/a1/actions", "/api/v1/dead-letters/0-1000016/replay"
    may = {}
    async with client(site) as http:
        letters = await http.get("/api/v1/dead-letters", headers=bearer("max"))
        assert letters.json()["items"][0]["letter_id"] in replay
        for name in TOKENS:
            may[name] = [
                (
                    await http.post(act, json={"kind": "acknowledge"}, headers=bearer(name))
                ).status_code,
                (await http.post(replay, headers=bearer(name))).status_code,
                (await http.get("/api/v1/audit", headers=bearer(name))).status_code,
            ]
        nobody = await http.get("/api/v1/alerts")
        wrong = await http.get("/api/v1/alerts", headers={"Authorization": "Bearer guess"})
    assert may == {"ann": [202, 403, 403], "max": [403, 403, 403], "root": [202, 202, 200]}
    assert (nobody.status_code, wrong.status_code) == (401, 401)


async def test_a_session_is_a_cookie_that_scripts_cannot_read(store: Store) -> None:
    """Signed in by a token; gone with the token, or when signed out."""
    site = make_site(store, access=named(secure=True))
    async with client(site) as http:
        assert (await http.get("/")).headers["location"] == "/login"
        wrong = await http.post("/login", data={"token": "guess"})
        assert wrong.headers["location"] == "/login?wrong=1"
        entered = await http.post("/login", data={"token": TOKENS["ann"][1]})
        cookie = entered.headers["set-cookie"]
        assert all(part in cookie for part in ("HttpOnly", "SameSite=lax", "Secure"))
        assert TOKENS["ann"][1] not in cookie
        value = cookie.partition("=")[2].partition(";")[0]
        session = {"Cookie": f"{COOKIE}={value}"}
        assert (await http.get("/api/v1/me", headers=session)).json()["name"] == "ann"
    fewer = make_site(store, access=Access(tokens=named().tokens[1:], secret="of the test"))
    async with client(fewer) as http:
        assert (await http.get("/api/v1/me", headers=session)).status_code == 401


async def test_a_proxy_is_believed_from_its_own_address_only(store: Store) -> None:
    """Its header names the user; from elsewhere it is only a header."""
    headers = {"X-User": "zoe", "X-Role": "marketing"}
    near = Access(proxy_user="X-User", proxy_role="X-Role", proxy_from="127.0.0.0/8")
    far = Access(proxy_user="X-User", proxy_role="X-Role", proxy_from="10.0.0.9")
    async with client(make_site(store, access=near), **headers) as http:
        me = (await http.get("/api/v1/me")).json()
        assert (me["name"], me["role"]) == ("zoe", "marketing")
    async with client(make_site(store, access=far), **headers) as http:
        assert (await http.get("/api/v1/me")).status_code == 401


async def test_too_much_at_once_is_refused_for_a_while() -> None:
    """A bucket that fills again."""
    now = 0.0
    limit = Limit(rate=1.0, burst=2.0, clock=lambda: now)
    assert [limit.wait("a"), limit.wait("a")] == [0.0, 0.0]
    assert limit.wait("a") == pytest.approx(1.0)
    assert limit.wait("b") == 0.0
    now = 1.1
    assert limit.wait("a") == 0.0


async def test_guessing_tokens_is_slowed_down(store: Store) -> None:
    site = make_site(store, access=named())
    async with client(site) as http:
        answers = [(await http.post("/login", data={"token": "x"})).status_code for _ in range(12)]
    assert answers[-1] == 429


async def test_every_answer_forbids_scripts_from_elsewhere(site: Site) -> None:
    """A strict policy, on pages, on fragments and on errors."""
    async with client(site) as http:
        for path in (
            "/",
            "/brand",
            "/fit",
            "/mentions",
            "/health",
            "/docs",
            "/nothing",
            "/api/v1/me",
        ):
            policy = (await http.get(path)).headers["content-security-policy"]
            assert "script-src 'self'" in policy
            assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/", "/?alert=a1", "/brand", "/fit", "/mentions", "/health"])
async def test_hostile_text_is_shown_not_run(site: Site, path: str) -> None:
    """Customers write what they like, and so do brands, segments and dead letters."""
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    await desk_of(site).give(
        linked(1, text=evil, title=evil, uri="javascript:alert(1)"),
        alert(snippet=evil, brand=evil, version=2, permalink="javascript:alert(1)"),
    )
    async with client(site) as http:
        text = (await http.get(path)).text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "javascript:" not in text
    assert 'style="' not in text


async def test_a_csv_cell_is_no_formula(site: Site) -> None:
    """Nor is it one row for a text of two lines."""
    await desk_of(site).give(linked(7, text='=HYPERLINK("http://evil")\nsecond'))
    async with client(site) as http:
        answer = await http.get("/api/v1/mentions.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "\"'=HYPERLINK" in answer.text
    assert "charged twice" in answer.text


async def test_events_go_on_after_the_last_one_seen() -> None:
    """One who comes back gets what was missed; after too long, or a restart, a reset."""
    hub, closing = Hub(), asyncio.Event()

    async def read(last: str | None, n: int) -> list[str]:
        stream = hub.stream(last, closing)
        found = [await anext(stream) for _ in range(n)]
        await stream.aclose()  # type: ignore[attr-defined]  # an async generator
        return found

    waiting = asyncio.ensure_future(read(None, 2))
    await asyncio.sleep(0.01)
    hub.publish([Change("alert", "a1"), Change("alert", "a1")])
    _, first = await waiting
    assert '"key":"a1"' in first
    last = first.partition("\n")[0].removeprefix("id: ")
    hub.publish([Change("brand", "Acme")])
    await asyncio.sleep(0.3)
    assert '"key":"Acme"' in (await read(last, 2))[1]
    assert "event: reset" in (await read("old-1", 2))[1]
    closing.set()


async def test_health_tells_of_deletions_that_are_not_off_the_disk(site: Site) -> None:
    """How many, and how long the first has waited."""
    request = Forget(author="x:ann", reason="erased", requested_at=NOW)
    async with client(site) as http:
        assert (await http.get("/api/v1/health")).json()["deletes_outstanding"] == 0
        await desk_of(site).give(request)
        told = (await http.get("/api/v1/health")).json()
        assert (told["deletes_outstanding"], told["oldest_delete_seconds"]) == (1, 3600.0)
        assert "asked for" in (await http.get("/health")).text


async def test_the_api_is_described(site: Site) -> None:
    """OpenAPI for machines, /docs for people, nothing from elsewhere."""
    async with client(site) as http:
        paths = (await http.get("/api/v1/openapi.json")).json()["paths"]
        docs = (await http.get("/docs")).text
    assert "/api/v1/alerts/{alert_id}/actions" in paths
    assert all(path in docs for path in paths)
    assert "http://" not in docs and "https://" not in docs
