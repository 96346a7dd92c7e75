"""One HTTP request and what its answer means, for every sink that speaks HTTP."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from listener.errors import DeliveryDelayed, DeliveryRefused, SettingsError

# httpx tells every address at INFO, and that of a webhook is a secret.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

PASSING: Final = (408, 425, 429)
_SECRET: Final = 6
REASON: Final = 200
"""Characters of an answer that an error quotes."""


class Http:
    """Sends, and raises DeliveryDelayed or DeliveryRefused for anything but success.

    Errors name the host and what it answered, never the address's path nor one of `secrets`.
    """

    def __init__(
        self, *, secrets: Sequence[str] = (), client: httpx.AsyncClient | None = None
    ) -> None:
        self._secrets = [secret for secret in secrets if secret]
        self._client = client or httpx.AsyncClient(timeout=8.0)

    async def send(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        takes: Sequence[int] = (),
    ) -> httpx.Response:
        """The answer, if its status is 2xx or in `takes`."""
        host = urlsplit(url).hostname or "?"
        basic = httpx.BasicAuth(*auth) if auth else None
        try:
            answer = await self._client.request(
                method, url, content=content, headers=headers, params=params, auth=basic
            )
        except httpx.HTTPError as error:
            raise DeliveryDelayed(f"{host}: {type(error).__name__}") from None
        if answer.is_success or answer.status_code in takes:
            return answer
        raise self.failure(answer, host)

    def failure(self, answer: httpx.Response, host: str) -> DeliveryDelayed | DeliveryRefused:
        status = answer.status_code
        reason = f"{host}: HTTP {status}{self._quote(answer)}"
        if status in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return DeliveryDelayed(
                reason, retry_after=retry_after(answer.headers.get("Retry-After"))
            )
        return DeliveryRefused(reason)

    def _quote(self, answer: httpx.Response) -> str:
        text = " ".join(answer.text[: 4 * REASON].split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return f" ({text[:REASON]})" if text else ""

    async def close(self) -> None:
        await self._client.aclose()


def json_of(answer: httpx.Response, host: str) -> Any:
    """The JSON of an answer. Raises DeliveryDelayed where it is none: a proxy's page, perhaps."""
    try:
        return answer.json()
    except ValueError:
        raise DeliveryDelayed(f"{host}: HTTP {answer.status_code} without JSON") from None


def secret_parts(url: str) -> tuple[str, ...]:
    """What of a secret address must not be told: all, its path, its query, and parts of them."""
    parts = urlsplit(url)
    pieces = [p for p in (*parts.path.split("/"), *parts.query.split("&")) if len(p) >= _SECRET]
    return (url, *pieces)


def web_url(url: str, *, where: str) -> str:
    """Raises SettingsError for what is no http(s) URL; it may be secret and is not told."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname:
            return url
    except ValueError:
        pass
    raise SettingsError(f"{where}=***: not a URL; give http(s)://host/path")


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
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max((at - datetime.now(UTC)).total_seconds(), 0.0)
