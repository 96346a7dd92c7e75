"""Figures that many look at are reckoned once, and told to all for a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final

SECONDS: Final = 2.0
MOST: Final = 200


class Lately:
    """Answers by key, each for `SECONDS`; those who ask meanwhile share one reckoning. Holds
    figures only, never a person's text."""

    def __init__(self) -> None:
        self._told: dict[object, tuple[float, asyncio.Future[Any]]] = {}

    async def get(self, key: object, reckon: Callable[[], Awaitable[Any]]) -> Any:
        at, answer = self._told.get(key, (0.0, None))
        if answer is None or monotonic() - at > SECONDS:
            answer = asyncio.ensure_future(reckon())
            if len(self._told) >= MOST:
                del self._told[next(iter(self._told))]
            self._told[key] = (monotonic(), answer)
        # One who gives up must not take the answer from the others.
        return await asyncio.shield(answer)
