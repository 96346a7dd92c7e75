import asyncio
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from playwright.sync_api import Page, sync_playwright

from listener.records import BrandRisk, Interval
from listener.store import Store
from listener.web import create_app
from tests.alerts import alert
from tests.brokers import free_port
from tests.worlds import NOW

CHROMIUM = os.environ.get("LISTENER_CHROMIUM") or shutil.which("chromium")


async def get(store: Store, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(create_app(store, closing=asyncio.Event()))
    async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
        return await client.get(path)


def figure() -> BrandRisk:
    return BrandRisk(
        brand="Acme",
        at=NOW,
        brand_risk=72.0,
        burn={"1h": 14.0, "24h": 5.0},
        significance={},
        mentions_24h=90,
        negative_share=0.6,
        negative_interval=Interval(low=0.5, high=0.7),
    )


async def test_the_page_lists_alerts_with_their_reasons_and_the_brand_figure() -> None:
    """Server-rendered: whole without a script."""
    store = Store("sqlite://")
    store.put_alerts([alert()])
    store.put_risks([figure()])
    text = (await get(store, "/")).text
    for expected in ("charged twice", "wants to leave", "Acme", ">72<", "P2"):
        assert expected in text
    store.close()


async def test_an_empty_page_says_what_will_come() -> None:
    """Nothing yet is no blank page."""
    store = Store("sqlite://")
    assert "Nothing needs a person right now" in (await get(store, "/")).text
    store.close()


async def test_hostile_text_is_shown_not_run() -> None:
    """Customers write what they like."""
    store = Store("sqlite://")
    store.put_alerts([alert(snippet="<script>alert(1)</script>", brand="<b>x")])
    answer = await get(store, "/")
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    store.close()


async def test_the_api_gives_the_same_records() -> None:
    """JSON for scripts."""
    store = Store("sqlite://")
    store.put_alerts([alert()])
    assert (await get(store, "/api/alerts")).json()[0]["alert_id"] == "a1"
    assert (await get(store, "/healthz")).json()["open_alerts"] == 1
    store.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Store, str]]:
    store, closing, port = Store(f"sqlite:///{tmp_path}/m.db"), asyncio.Event(), free_port()
    app = create_app(store, closing=closing)
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield store, f"http://127.0.0.1:{port}"
    closing.set()
    server.should_exit = True
    thread.join(10)
    store.close()


@pytest.fixture
def page() -> Iterator[Page]:
    if CHROMIUM is None:
        assert "LISTENER_CI" not in os.environ, "CI must run the browser tests: install Chromium"
        pytest.skip("no chromium found: install it, or set LISTENER_CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
        )
        yield browser.new_page()
        browser.close()


def test_a_new_alert_appears_without_a_reload(served: tuple[Store, str], page: Page) -> None:
    """Live: the page that is open shows what comes."""
    store, url = served
    store.put_alerts([alert()])
    page.goto(url)
    page.get_by_text("charged twice").wait_for()
    page.evaluate("window.same = true")
    store.put_alerts([alert("a2", snippet="router on fire", priority="P1")])
    page.get_by_text("router on fire").wait_for(timeout=5000)
    assert page.evaluate("window.same") is True
    assert page.locator("li.alert").first.inner_text().startswith("P1")


def test_the_page_fits_a_phone(served: tuple[Store, str], page: Page) -> None:
    """No sideways scrolling at 390 pixels, even for one endless word."""
    store, url = served
    store.put_alerts([alert(snippet="a" * 200)])
    store.put_risks([figure()])
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(url)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
