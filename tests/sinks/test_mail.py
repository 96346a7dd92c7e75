"""Mails that thread, over TLS that is checked."""

from pathlib import Path

import pytest

from listener.errors import DeliveryDelayed, DeliveryRefused, SettingsError
from listener.records import Digest, DigestLine
from listener.sinks.mail import Mail, Tls, html_of
from tests.alerts import alert
from tests.destinations.smtp import PASSWORD, Post, mailing
from tests.worlds import NOW


def mail(post: Post, tls: Tls = "starttls", **changes: str) -> Mail:
    login = {"cafile": str(post.cafile), "username": "listener", "password": PASSWORD} | changes
    return Mail(
        "127.0.0.1",
        ["lead@desk.example"],
        "listener@desk.example",
        name="mail",
        clock=lambda: NOW,
        port=post.port,
        tls=tls,
        timeout=2.0,
        **login,
    )


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_mails_of_an_alert_thread_and_are_encrypted(tmp_path: Path, tls: Tls) -> None:
    """Same subject, one root that all refer to, an own id each; the state is in the sender."""
    with mailing(tmp_path, tls) as post:
        for state in ("open", "resolved"):
            await mail(post, tls).send(alert(state=state, priority="P1"), key=state)
    first, second = post.mailbox.mails
    assert first["Subject"] == second["Subject"] == "Acme · billing (a1)"
    assert first["References"] == second["References"] == second["In-Reply-To"]
    assert first["Message-ID"] != second["Message-ID"]
    assert "P1 open" in first["From"] and "P1 resolved" in second["From"]
    assert (first["Importance"], second["Importance"]) == ("high", None)
    assert all(post.mailbox.secure)


async def test_html_and_text_say_the_same_and_html_is_escaped(tmp_path: Path) -> None:
    """What people write is text, never markup."""
    hostile = alert(snippet="<img src=x onerror=alert(1)> & \"quotes'")
    with mailing(tmp_path, "none") as post:
        await mail(post, "none").send(hostile, key="k")
    (came,) = post.mailbox.mails
    plain, rich = came.get_body(("plain",)), came.get_body(("html",))
    assert plain is not None and rich is not None
    assert "<img src=x" in plain.get_content()
    assert "<img" not in rich.get_content() and "&lt;img src=x" in rich.get_content()


def test_only_links_that_a_browser_may_follow() -> None:
    assert "javascript" not in html_of(alert(permalink="javascript:alert(1)"))
    assert "href='https://x.example/?a=1&amp;b=%272'" in html_of(
        alert(permalink="https://x.example/?a=1&b=%272")
    )


async def test_a_header_is_one_line(tmp_path: Path) -> None:
    """A brand's name cannot add a recipient."""
    with mailing(tmp_path, "none") as post:
        await mail(post, "none").send(alert(brand="A\r\nBcc: x@y.example"), key="k")
    (came,) = post.mailbox.mails
    assert came["Bcc"] is None and came["To"] == "lead@desk.example"


async def test_a_wrong_password_is_refused(tmp_path: Path) -> None:
    """535 never gets better by itself, and the password is not told."""
    with (
        mailing(tmp_path, "starttls") as post,
        pytest.raises(DeliveryRefused, match="535") as caught,
    ):
        await mail(post, password="other-secret").send(alert(), key="k")
    assert "other-secret" not in str(caught.value)


async def test_a_certificate_of_nobody_we_know_is_not_taken(tmp_path: Path) -> None:
    """The mail waits; it is never sent in the clear."""
    with mailing(tmp_path, "tls") as post:
        sink = Mail(
            "127.0.0.1", ["a@b.example"], "c@d.example", name="m", clock=lambda: NOW,
            port=post.port, tls="tls", timeout=2.0,
        )  # fmt: skip
        with pytest.raises(DeliveryDelayed):
            await sink.send(alert(), key="k")
    assert post.mailbox.mails == []


async def test_a_server_without_starttls_gets_nothing(tmp_path: Path) -> None:
    """What was to be encrypted is never sent in the clear."""
    with mailing(tmp_path, "none") as post, pytest.raises(DeliveryRefused):
        await mail(post, "starttls").send(alert(), key="k")
    assert post.mailbox.mails == []


async def test_a_digest_is_a_mail(tmp_path: Path) -> None:
    line = DigestLine(brand="Acme", issue="billing", count=3, examples=("https://x.example/1",))
    digest = Digest(digest_id="d", start=NOW, end=NOW, mentions=9, complaints=3, lines=(line,))
    with mailing(tmp_path, "none") as post:
        await mail(post, "none").report(digest, key="d")
    (came,) = post.mailbox.mails
    body = came.get_body(("plain",))
    assert body is not None and "3 × Acme · billing" in body.get_content()


@pytest.mark.parametrize("address", ["nobody", "@x.example", "a@", "a b@x.example", ""])
def test_an_address_that_is_none_is_a_mistake(address: str) -> None:
    with pytest.raises(SettingsError, match=r"receivers\.m\.to"):
        Mail("h", [address], "a@b.example", name="m", clock=lambda: NOW)
