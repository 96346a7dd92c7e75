"""The whole way: a message of the demo becomes an alert in a browser, and what is done there comes
back by the topics, from a real worker."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from listener.codec import decode
from listener.demo.story import people, policy_text, story
from listener.feed import import_customers, read_topic, replay
from listener.records import Action
from listener.settings import Settings
from listener.topics import ACTIONS
from tests.brokers import Worker, broker, free_port
from tests.ledger import wait_for_directory
from tests.web.pages import chromium

T = TypeVar("T")
SOON: Final = 60_000
START: Final = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(3)
FIRST: Final = 200
"""Messages of the story that are enough for several alerts."""


class Stack:
    def __init__(self, settings: Settings, url: str) -> None:
        self.settings = settings
        self.url = url


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("demo")
    policy = folder / "policy.yaml"
    policy.write_text(policy_text())
    with broker("embedded", policy=policy) as settings:
        asyncio.run(import_customers(settings, people(start=START)))
        worker = Worker(settings)
        worker.start()
        port = free_port()
        page = _page(settings, policy, folder, port)
        try:
            wait_for_directory(settings, customers=400)
            yield Stack(settings, f"http://127.0.0.1:{port}")
        finally:
            page.terminate()
            assert page.wait(20) == 0
            worker.stop()


def _page(settings: Settings, policy: Path, folder: Path, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "listener", "web"],
        env=os.environ
        | {
            "LISTENER_BROKER": settings.broker,
            "LISTENER_POLICY": str(policy),
            "LISTENER_DATABASE": f"sqlite:///{folder}/model.db",
            "LISTENER_WEB_PORT": str(port),
            "LISTENER_LOG_LEVEL": "WARNING",
        },
        stdout=subprocess.DEVNULL,
    )
    for _ in range(300):
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz")
            return process
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError("the page did not start")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def aside(work: Coroutine[Any, Any, T]) -> T:
    """Playwright has a loop of its own in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result(60)


def opened(browser: Browser, stack: Stack) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
    page.goto(stack.url)
    expect(page.locator("#live")).to_have_class("live on", timeout=SOON)
    return page


def test_an_alert_comes_live_and_what_is_done_comes_back(stack: Stack, browser: Browser) -> None:
    """Acknowledged by one, seen by the other, resolved, marked wrong, silenced."""
    ann, bob = opened(browser, stack), opened(browser, stack)
    expect(ann.get_by_text("Nothing needs a person right now")).to_be_visible()
    messages = list(story(start=START))[:FIRST]
    aside(replay(stack.settings, "raw.canonical", messages, speed=None))
    expect(ann.locator(".item").nth(3)).to_be_visible(timeout=SOON)
    ann.wait_for_timeout(2000)
    names = [str(item.get_attribute("data-id")) for item in ann.locator(".item").all()[:3]]
    ann.locator(f"#open-{names[0]}").click()
    bob.locator(f"#open-{names[0]}").click()
    for page in (ann, bob):
        expect(page.locator("article.alert")).to_be_visible(timeout=SOON)
    ann.keyboard.press("a")
    for page in (ann, bob):
        expect(page.locator("article.alert .state")).to_have_text("Acknowledged", timeout=SOON)
    bob.keyboard.press("r")
    bob.locator("#do-resolve button.primary").click()
    expect(ann.locator("article.alert .state")).to_have_text("Resolved", timeout=SOON)
    expect(ann.locator(f"#item-{names[0]}")).to_have_count(0, timeout=SOON)
    ann.locator(f"#open-{names[1]}").click()
    expect(ann.locator(f"article.alert[data-id='{names[1]}']")).to_be_visible(timeout=SOON)
    ann.get_by_role("button", name="Wrong alert").click()
    ann.locator("#do-wrong button.primary").click()
    expect(ann.locator("article.alert .state")).to_have_text("Resolved", timeout=SOON)
    ann.locator(f"#open-{names[2]}").click()
    expect(ann.locator(f"article.alert[data-id='{names[2]}']")).to_be_visible(timeout=SOON)
    ann.keyboard.press("s")
    ann.locator("#do-silence button.primary").click()
    expect(ann.locator("#toasts")).to_contain_text("Silenced: sent", timeout=SOON)
    expect(ann.locator("article.alert .state")).to_have_text("Silenced", timeout=SOON)
    told = [decode(m.value, Action) for m in aside(read_topic(stack.settings, ACTIONS.name))]
    kinds = ["acknowledge", "resolve", "silence", "wrong"]
    assert sorted(action.kind for action in told) == kinds
    for page in (ann, bob):
        page.context.close()


def test_what_was_said_is_found(stack: Stack, browser: Browser) -> None:
    """Search over the read model that the topics filled."""
    page = opened(browser, stack)
    page.goto(f"{stack.url}/mentions?q=norvia")
    expect(page.locator(".message").first).to_be_visible(timeout=SOON)
    assert "norvia" in page.locator(".message .text").first.inner_text().lower()
    page.context.close()
