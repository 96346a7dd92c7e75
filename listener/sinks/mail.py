"""Alerts by e-mail, text and HTML.

RFC 5321: 4xx may pass, 5xx never. The subject stays the same and every mail refers to the alert's
first, so that mail programs show one thread; priority and state are in the sender's name. The
Message-ID comes from the notice: a server that drops repeats drops a second attempt.
"""

from __future__ import annotations

import hashlib
import html
import ssl
from collections.abc import Sequence
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final, Literal

import aiosmtplib

from listener.errors import DeliveryDelayed, DeliveryError, DeliveryRefused, SettingsError
from listener.ports import Clock
from listener.records import Alert, Digest
from listener.sinks.wording import (
    digest_headline,
    digest_line,
    digest_standing,
    facts,
    headline,
    is_web,
    permalink,
    subject,
)

Tls = Literal["starttls", "tls", "none"]
_PORTS: Final[dict[Tls, int]] = {"starttls": 587, "tls": 465, "none": 25}
_NEVER: Final = 500


class Mail:
    """Raises SettingsError for a sender or a recipient that is no address."""

    def __init__(
        self,
        host: str,
        to: Sequence[str],
        sender: str,
        *,
        name: str,
        clock: Clock,
        port: int | None = None,
        tls: Tls = "starttls",
        cafile: str | None = None,
        username: str | None = None,
        password: str | None = None,
        timeout: float = 8.0,
    ) -> None:
        self.name = name
        self._host = host
        self._port = port or _PORTS[tls]
        self._tls = tls
        self._context = _context(cafile, where=f"receivers.{name}.cafile")
        self._login = (username, password)
        self._to = [_address(address, where=f"receivers.{name}.to") for address in to]
        self._sender = _address(sender, where=f"receivers.{name}.sender")
        self._clock = clock
        self._timeout = timeout

    async def send(self, alert: Alert, *, key: str, ref: str | None = None) -> str:
        mail = self._mail(f"{subject(alert)} ({alert.alert_id[:8]})", f"{headline(alert)}")
        root = f"<{_digest(alert.alert_id)}@{self._sender.domain}>"
        mail["Message-ID"] = f"<{_digest(key)}@{self._sender.domain}>"
        mail["In-Reply-To"] = mail["References"] = root
        if alert.priority == "P1" and alert.state in ("open", "reopened"):
            mail["X-Priority"], mail["Importance"] = "1", "high"
        mail.set_content(text(alert))
        mail.add_alternative(html_of(alert), subtype="html")
        await self._deliver(mail)
        return str(mail["Message-ID"])

    async def report(self, digest: Digest, *, key: str) -> None:
        mail = self._mail(digest_headline(digest), "Listener digest")
        mail["Message-ID"] = f"<{_digest(key)}@{self._sender.domain}>"
        lines = [digest_headline(digest), digest_standing(digest), ""]
        for line in digest.lines:
            lines += [digest_line(line), *(f"  {url}" for url in line.examples if is_web(url))]
        mail.set_content("\n".join(lines))
        await self._deliver(mail)

    async def close(self) -> None:
        """Each mail has its own connection."""

    def _mail(self, about: str, name: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = Address(_one_line(name), addr_spec=self._sender.addr_spec)
        mail["To"] = self._to
        mail["Subject"] = _one_line(about)
        mail["Date"] = format_datetime(self._clock())
        mail["Auto-Submitted"] = "auto-generated"
        return mail

    async def _deliver(self, mail: EmailMessage) -> None:
        username, password = self._login
        try:
            await aiosmtplib.send(
                mail,
                sender=self._sender.addr_spec,
                recipients=[address.addr_spec for address in self._to],
                hostname=self._host,
                port=self._port,
                username=username,
                password=password,
                use_tls=self._tls == "tls",
                start_tls=self._tls == "starttls",
                tls_context=self._context if self._tls != "none" else None,
                timeout=self._timeout,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise _failure(self._host, error) from None


def _failure(host: str, error: Exception) -> DeliveryError:
    """Codes decide; what the server said may name people and is not told."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        codes = [refused.code for refused in error.recipients]
        reason = f"{host}: SMTP {', '.join(map(str, codes))} for every recipient"
        return DeliveryRefused(reason) if min(codes) >= _NEVER else DeliveryDelayed(reason)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        reason = f"{host}: SMTP {error.code} ({type(error).__name__})"
        return DeliveryRefused(reason) if error.code >= _NEVER else DeliveryDelayed(reason)
    # The library has no class of its own for a server without STARTTLS or AUTH.
    if isinstance(error, aiosmtplib.SMTPNotSupported) or type(error) is aiosmtplib.SMTPException:
        return DeliveryRefused(f"{host}: it cannot do what is set (STARTTLS, login)")
    return DeliveryDelayed(f"{host}: {type(error).__name__}")


def text(alert: Alert) -> str:
    lines = [headline(alert), "", *(f"{name}: {value}" for name, value in facts(alert))]
    if alert.snippet:
        lines += ["", *(f"> {line}" for line in alert.snippet.splitlines())]
    if (url := permalink(alert)) is not None:
        lines += ["", url]
    return "\n".join(lines) + "\n"


def html_of(alert: Alert) -> str:
    rows = "".join(
        f"<tr><th align='left'>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in facts(alert)
    )
    quoted = f"<blockquote>{html.escape(alert.snippet)}</blockquote>" if alert.snippet else ""
    url = permalink(alert)
    link = f"<p><a href='{html.escape(url)}'>Open the message</a></p>" if url else ""
    title = f"<h2>{html.escape(headline(alert))}</h2>"
    return f"<!doctype html><html><body>{title}<table>{rows}</table>{quoted}{link}</body></html>"


def _one_line(text: str) -> str:
    """A header is one line."""
    return " ".join(text.split())


def _digest(text: str) -> str:
    return "listener." + hashlib.sha256(text.encode()).hexdigest()[:32]


def _address(text: str, *, where: str) -> Address:
    try:
        address = Address(addr_spec=text)
    except (ValueError, IndexError, MessageError) as error:
        raise SettingsError(f"{where}={text}: no e-mail address ({error}); mend it") from None
    if not address.username or not address.domain:
        raise SettingsError(f"{where}={text}: no e-mail address; give name@host")
    return address


def _context(cafile: str | None, *, where: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cafile)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"{where}={cafile}: cannot load ({error}); give a readable PEM file"
        ) from None
