"""The page in a browser, over a desk that answers as the worker would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.alerts import alert
from tests.web.pages import TOKENS, Served, chromium, figure, named, serve, world
from tests.worlds import NOW, linked

AXE: Final = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
PAGES: Final = {
    "inbox": "/",
    "alert": "/?alert=a1",
    "brand": "/brand?range=24h",
    "fit": "/fit",
    "mentions": "/mentions?q=message",
    "health": "/health",
    "docs": "/docs",
    "error": "/nothing",
}
WIDTHS: Final = (1280, 390)
SOON: Final = 10_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path) as found:
        found.give(*world())
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    yield context.new_page()
    context.close()


def open_alert(page: Page, served: Served, name: str = "a1") -> None:
    page.goto(f"{served.url}/?alert={name}")
    expect(page.locator("#live")).to_have_class("live on", timeout=SOON)
    expect(page.locator("article.alert")).to_be_visible()


def test_a_new_alert_appears_without_a_reload(served: Served, page: Page) -> None:
    """By its priority, with an unread mark and a count in the title."""
    page.goto(served.url)
    expect(page.locator("#live")).to_have_class("live on", timeout=SOON)
    expect(page).to_have_title("(3) Inbox · Listener")
    page.evaluate("window.same = true")
    served.give(alert("a9", snippet="they cut my line", priority="P1", subject="x:eve"))
    expect(page.get_by_text("they cut my line")).to_be_visible(timeout=SOON)
    expect(page).to_have_title("(4) Inbox · Listener", timeout=SOON)
    assert page.evaluate("window.same") is True
    first = [item.get_attribute("data-priority") for item in page.locator(".item").all()]
    assert first == ["P1", "P1", "P2", "P3"]


def test_an_alert_is_seen_taken_resolved_by_keys(served: Served, page: Page) -> None:
    """j opens the next, a takes it, r asks for a note; each shows once it is back."""
    page.goto(served.url)
    expect(page.locator("#live")).to_have_class("live on", timeout=SOON)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("article.alert[data-id=a1]")).to_be_visible(timeout=SOON)
    expect(page.locator("#item-a1")).not_to_have_class("is-unread")
    page.keyboard.press("a")
    expect(page.locator("article .state")).to_have_text("Acknowledged", timeout=SOON)
    expect(page.locator("#item-a1")).to_contain_text("Taken by local", timeout=SOON)
    page.keyboard.press("r")
    page.get_by_label("Note, if it helps the next one").fill("called back")
    page.locator("#do-resolve button.primary").click()
    expect(page.locator("article .state")).to_have_text("Resolved", timeout=SOON)
    expect(page.locator("#item-a1")).to_have_count(0, timeout=SOON)
    assert [(a.kind, a.note) for a in served.desk.actions] == [
        ("acknowledge", None),
        ("resolve", "called back"),
    ]


@pytest.mark.parametrize(
    ("button", "dialog", "field", "value", "told"),
    [
        ("Wrong alert", "wrong", "note", "it is praise", {"kind": "wrong", "note": "it is praise"}),
        ("Assign", "assign", "assignee", "zoe", {"kind": "assign", "assignee": "zoe"}),
        ("Link customer", "link", "customer_id", "c7", {"kind": "link", "customer_id": "c7"}),
        ("Silence", "silence", "", "", {"kind": "silence"}),
    ],
)
def test_every_other_action_asks_for_what_it_needs(
    served: Served, page: Page, button: str, dialog: str, field: str, value: str, told: Any
) -> None:
    open_alert(page, served)
    page.get_by_role("button", name=button).click()
    if field:
        page.locator(f"#do-{dialog} [name={field}]").fill(value)
    page.locator(f"#do-{dialog} button.primary").click()
    expect(page.locator("#toasts")).to_contain_text("sent", timeout=SOON)
    action = served.desk.actions[0]
    assert {key: getattr(action, key) for key in told} == told
    if dialog == "silence":
        assert action.until is not None
        assert 3.9 < (action.until - action.at).total_seconds() / 3600 < 4.1
        expect(page.locator("article .state")).to_have_text("Silenced", timeout=SOON)
        page.goto(f"{served.url}/?state=suppressed")
        expect(page.locator("#item-a1")).to_be_visible()


def test_several_are_taken_at_once(served: Served, page: Page) -> None:
    page.goto(served.url)
    page.locator("#pick-a1").check()
    page.locator("#pick-a3").check()
    expect(page.locator("#bulk")).to_contain_text("2 selected")
    page.locator("#bulk").get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#item-a3")).to_contain_text("Taken by local", timeout=SOON)
    expect(page.locator("#item-a1")).to_contain_text("Taken by local", timeout=SOON)
    expect(page.locator("#bulk")).to_be_hidden()


def test_two_people_see_what_the_other_does(browser: Browser, tmp_path: Path) -> None:
    """Ann takes an alert, Root sees it at once; Max may only look."""
    with serve(tmp_path, access=named()) as served:
        served.give(*world())
        people = {}
        for name in TOKENS:
            page = browser.new_context().new_page()
            page.goto(served.url)
            page.get_by_label("Token").fill(TOKENS[name][1])
            page.get_by_role("button", name="Sign in").click()
            open_alert(page, served)
            people[name] = page
        expect(people["max"].get_by_text("Your role may look, not act.")).to_be_visible()
        people["ann"].keyboard.press("a")
        for name in ("root", "max"):
            expect(people[name].locator("article .state")).to_have_text(
                "Acknowledged", timeout=SOON
            )
            expect(people[name].locator("article.alert")).to_contain_text("ann, ")
        people["root"].keyboard.press("r")
        people["root"].locator("#do-resolve button.primary").click()
        expect(people["ann"].locator("article .state")).to_have_text("Resolved", timeout=SOON)
        assert [a.actor for a in served.desk.actions] == ["ann", "root"]
        people["ann"].get_by_role("button", name="Sign out").click()
        expect(people["ann"].get_by_label("Token")).to_be_visible()
        for page in people.values():
            page.context.close()


def test_filters_narrow_the_list_and_stay_while_it_changes(served: Served, page: Page) -> None:
    page.goto(served.url)
    expect(page.locator("#live")).to_have_class("live on", timeout=SOON)
    page.get_by_label("Priority").select_option("P1")
    expect(page.locator(".item")).to_have_count(1, timeout=SOON)
    served.give(alert("a8", priority="P3"), alert("a7", priority="P1"))
    expect(page.locator(".item")).to_have_count(2, timeout=SOON)
    page.get_by_label("Mine").check()
    expect(page.get_by_text("No alert fits these filters")).to_be_visible(timeout=SOON)


def test_the_route_is_a_filter_and_filters_are_cleared(served: Served, page: Page) -> None:
    page.goto(served.url)
    expect(page.get_by_text("Clear filters")).to_be_hidden()
    page.get_by_label("Route").select_option("on-call")
    expect(page.locator(".item")).to_have_count(1, timeout=SOON)
    page.get_by_text("Clear filters").click()
    expect(page.locator(".item")).to_have_count(3, timeout=SOON)


def test_the_morning_begins_with_what_stands(served: Served, page: Page) -> None:
    """How much is late, what it is about, an incident; it follows, and gives way to an alert."""
    page.goto(served.url)
    expect(page.locator("#live")).to_have_class("live on", timeout=SOON)
    overview = page.locator("#overview")
    expect(overview.locator(".tiles div").nth(0)).to_contain_text("1")
    expect(overview).to_contain_text("Acme: incident since")
    served.give(alert("a9", issue="privacy", due_at=NOW, subject="x:eve"))
    expect(overview.locator(".tiles div").nth(0)).to_contain_text("2", timeout=SOON)
    overview.get_by_role("link", name="Outage").click()
    expect(page.locator(".item")).to_have_count(1)
    page.locator("#open-a2").click()
    expect(page.locator("#overview")).to_have_count(0, timeout=SOON)


NOTIFICATION: Final = """
window.told = []; window.asked = 0;
window.Notification = class {
  static permission = "default";
  static async requestPermission() {
    window.asked += 1; Notification.permission = "granted"; return "granted";
  }
  constructor(title, options) { window.told.push(`${title}: ${options.body}`); }
};
document.hasFocus = () => false;
"""


def test_notifications_come_once_asked_for_and_quote_nobody(served: Served, page: Page) -> None:
    """The browser is asked by a click alone; each alert is told once, without its text."""
    page.add_init_script(NOTIFICATION)
    page.goto(served.url)
    expect(page.locator("#live")).to_have_class("live on", timeout=SOON)
    served.give(alert("a8", priority="P1", issue="privacy", subject="x:eve"))
    expect(page.locator("#item-a8")).to_be_visible(timeout=SOON)
    # The list may be ahead of the event of the same alert, which is not to come after the click.
    page.wait_for_timeout(2000)
    assert page.evaluate("window.asked") == 0
    button = page.get_by_role("button", name="Desktop notifications")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    served.give(alert("a9", priority="P1", issue="outage", snippet="she died", subject="x:eve"))
    for _ in range(40):
        # The page forbids what `wait_for_function` would do in it.
        page.wait_for_timeout(0 if page.evaluate("window.told.length") else 250)
    served.give(alert("a9", priority="P1", issue="outage", version=2, subject="x:eve"))
    page.wait_for_timeout(2000)
    assert page.evaluate("window.told") == ["P1 · outage · Acme: A new alert needs somebody"]
    button.click()
    served.give(alert("a10", priority="P1", subject="x:eve"))
    expect(page.locator("#item-a10")).to_be_visible(timeout=SOON)
    page.wait_for_timeout(1500)
    assert page.evaluate("window.told.length") == 1


def test_who_needs_a_nudge_is_listed_with_the_reason(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/fit")
    rows = page.locator(".nudges li")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("Explain it")
    expect(rows.nth(0)).to_contain_text("asked about product again within 14 days")
    expect(rows.nth(1)).to_contain_text("x:new")
    expect(rows.nth(2)).to_contain_text("silent for 9 d")


def test_search_finds_and_exports(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/mentions")
    expect(page.locator(".message")).to_have_count(3)
    page.get_by_placeholder("Words that all occur").fill("money charg*")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".message")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    assert "charged twice" in download.value.path().read_text()


def test_a_dead_letter_is_looked_at_and_sent_again(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/health")
    page.locator(".letter summary").click()
    expect(page.locator(".letter pre")).to_have_text("<script>hello</script>")
    page.get_by_role("button", name="Send it again").click()
    expect(page.locator("#toasts")).to_contain_text("Sent to its topic again", timeout=SOON)
    assert [letter.offset for letter in served.desk.replayed] == [3]


def test_the_brand_page_draws_and_follows(served: Served, page: Page) -> None:
    """Charts from the API, colours of either theme, the figure as it changes."""
    page.goto(f"{served.url}/brand?brand=Acme&range=24h")
    expect(page.locator(".chart canvas")).to_have_count(3, timeout=SOON)
    served.give(figure(2, brand_risk=33.0))
    expect(page.locator(".gauge")).to_contain_text("33", timeout=SOON)
    page.get_by_role("button", name="Theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_text_that_is_code_stays_text(served: Served, page: Page) -> None:
    """Neither at first nor when it comes live."""
    page.goto(served.url)
    expect(page.locator("#live")).to_have_class("live on", timeout=SOON)
    evil = "<script>window.hurt=1</script><img src=x onerror='window.hurt=1'>"
    served.give(linked(1, text=evil), alert("a6", snippet=evil, priority="P1"))
    page.locator("#item-a6 a").click(timeout=SOON)
    expect(page.locator("article blockquote")).to_have_text(evil, timeout=SOON)
    assert page.evaluate("window.hurt") is None


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_accessible_and_fits(
    served: Served, browser: Browser, theme: Any, width: int
) -> None:
    """axe finds nothing serious, nothing scrolls sideways, the console is silent."""
    served.give(alert("a5", snippet="a" * 200, priority="P1", subject="x:" + "b" * 80))
    context = browser.new_context(viewport={"width": width, "height": 860}, color_scheme=theme)
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    faults = []
    for name, path in PAGES.items():
        page.goto(served.url + path)
        page.wait_for_timeout(300)
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        faults += [
            f"{name}: {v['id']} {v['nodes'][0]['html'][:150]}"
            for v in found["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        wide = page.evaluate("document.documentElement.scrollWidth")
        faults += [f"{name}: {wide} pixels wide"] if wide > width else []
    context.close()
    assert faults == []
    assert [line for line in said if "404" not in line] == []
