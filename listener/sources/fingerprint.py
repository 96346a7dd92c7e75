"""SimHash of a text: near-duplicates differ in few of its 64 bits."""

from __future__ import annotations

import re
from typing import Final

from simhash import Simhash

LEAST_WORDS: Final = 4

_DROPPED: Final = re.compile(r"@\w+|https?://\S+|<\w+>|^rt\b", re.IGNORECASE)
_WORD: Final = re.compile(r"\w+")


def fingerprint(text: str) -> str | None:
    """16 hex digits over pairs of words; None for a text of under four words."""
    words = _WORD.findall(_DROPPED.sub(" ", text[:2000]).lower())
    if len(words) < LEAST_WORDS:
        return None
    pairs = [f"{a} {b}" for a, b in zip(words, words[1:], strict=False)]
    return f"{Simhash(pairs).value:016x}"
