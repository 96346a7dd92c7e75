"""Alerts to any HTTP endpoint, signed."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import time
from typing import Final
from urllib.parse import urlsplit

import httpx

from listener.codec import encode
from listener.errors import DeliveryDelayed, DeliveryRefused, SettingsError
from listener.records import Alert

_PASSING: Final = (408, 425, 429)


class Webhook:
    """Posts each alert as JSON.

    Headers: `Idempotency-Key`, the same for every attempt of one notice; `Listener-Timestamp`,
    seconds of the epoch; `Listener-Signature`, `v1=` and the hex HMAC-SHA256 of
    `timestamp.body` under the shared secret. Raises SettingsError for a URL that is not http(s).
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        secret: str | None = None,
        *,
        timeout: float = 10.0,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError("LISTENER_WEBHOOK_URL=***: not a URL; give http(s)://host/path")
        self._url = url
        self._host = parts.hostname
        self._secret = secret
        self._client = client or httpx.AsyncClient(timeout=timeout)

    async def send(self, alert: Alert, *, key: str) -> None:
        body = encode(alert)
        try:
            answer = await self._client.post(self._url, content=body, headers=self._sign(body, key))
        except httpx.HTTPError as error:
            raise DeliveryDelayed(f"{self._host}: {type(error).__name__}") from None
        self._judge(answer)

    async def close(self) -> None:
        await self._client.aclose()

    def _sign(self, body: bytes, key: str) -> dict[str, str]:
        timestamp = str(int(time()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "Listener-Timestamp": timestamp,
        }
        if self._secret:
            headers["Listener-Signature"] = sign(timestamp, body, self._secret)
        return headers

    def _judge(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return
        if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            wait = retry_after(answer.headers.get("Retry-After"))
            raise DeliveryDelayed(f"{self._host}: HTTP {status}", retry_after=wait)
        raise DeliveryRefused(f"{self._host}: HTTP {status}")


def sign(timestamp: str, body: bytes, secret: str) -> str:
    """The value of `Listener-Signature`."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={digest.hexdigest()}"


def verify(signature: str, timestamp: str, body: bytes, secret: str) -> bool:
    """For receivers: whether a body came from us unchanged, in constant time."""
    return hmac.compare_digest(signature, sign(timestamp, body, secret))


def retry_after(header: str | None) -> float | None:
    """Seconds to wait, from a `Retry-After` of seconds or of an HTTP date."""
    if header is None:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max((at - datetime.now(UTC)).total_seconds(), 0.0)
