"""An SMTP server: TLS by trustme, refusals on demand."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.brokers import free_port

PASSWORD = "smtp-secret-password"


class Mailbox:
    """`mails` that came; `answers` to RCPT and to DATA, where they are not 250."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipient: str | None = None
        self.data: str | None = None
        self.pause = 0.0
        self.secure: list[bool] = []

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.recipient is not None:
            return self.recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the same
        await asyncio.sleep(self.pause)
        if self.data is not None:
            return self.data
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.secure.append(session.ssl is not None or server.transport.get_extra_info("ssl_object"))
        return "250 OK"


class Post:
    """Where the mailbox listens, and the CA that signed it."""

    def __init__(self, mailbox: Mailbox, port: int, cafile: Path) -> None:
        self.mailbox = mailbox
        self.port = port
        self.cafile = cafile


def _login(server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
    return AuthResult(success=known, handled=False)


@contextmanager
def mailing(folder: Path, tls: Literal["starttls", "tls", "none"]) -> Iterator[Post]:
    authority = trustme.CA()
    cafile = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(cafile))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    mailbox = Mailbox()
    options: dict[str, Any] = {"authenticator": _login, "auth_require_tls": tls == "starttls"}
    if tls == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=free_port(),
        ssl_context=context if tls == "tls" else None,
        server_hostname="127.0.0.1",
        **options,
    )
    controller.start()
    try:
        yield Post(mailbox, controller.port, cafile)
    finally:
        controller.stop()
