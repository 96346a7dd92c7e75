"""Alerts to any HTTP endpoint, signed."""

from __future__ import annotations

import hashlib
import hmac
from time import time

import httpx

from listener.codec import encode
from listener.records import Alert, Digest
from listener.sinks.http import Http, secret_parts, web_url


class Webhook:
    """Posts each alert as JSON.

    Headers: `Idempotency-Key`, the same for every attempt of one notice; `Listener-Timestamp`,
    seconds of the epoch; `Listener-Signature`, `v1=` and the hex HMAC-SHA256 of
    `timestamp.body` under the shared secret; `Listener-Record`, `alert` or `digest`. Raises
    SettingsError for a URL that is not http(s).
    """

    def __init__(
        self,
        url: str,
        secret: str | None = None,
        *,
        name: str = "webhook",
        where: str = "LISTENER_WEBHOOK_URL",
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self.name = name
        self._url = web_url(url, where=where)
        self._secret = secret
        self._http = Http(secrets=(*secret_parts(url), secret or ""), client=client)

    async def send(self, alert: Alert, *, key: str, ref: str | None = None) -> None:
        await self._post(encode(alert), key, record="alert")

    async def report(self, digest: Digest, *, key: str) -> None:
        await self._post(encode(digest), key, record="digest")

    async def close(self) -> None:
        await self._http.close()

    async def _post(self, body: bytes, key: str, *, record: str) -> None:
        timestamp = str(int(time()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "Listener-Record": record,
            "Listener-Timestamp": timestamp,
        }
        if self._secret:
            headers["Listener-Signature"] = sign(timestamp, body, self._secret)
        await self._http.send("POST", self._url, content=body, headers=headers)


def sign(timestamp: str, body: bytes, secret: str) -> str:
    """The value of `Listener-Signature`."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={digest.hexdigest()}"


def verify(signature: str, timestamp: str, body: bytes, secret: str) -> bool:
    """For receivers: whether a body came from us unchanged, in constant time."""
    return hmac.compare_digest(signature, sign(timestamp, body, secret))
