"""Which brands of the policy a message is about."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec


class BrandNames(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How people name one brand. All without regard to case, as whole words."""

    name: str
    handles: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    """Phrases that hold the name but mean something else; a handle counts all the same."""


class BrandFinder:
    """Finds brands in text; patterns are compiled once."""

    def __init__(self, brands: Sequence[BrandNames]) -> None:
        self._handles = {
            handle.lower().removeprefix("@"): brand.name
            for brand in brands
            for handle in brand.handles
        }
        self._words = {
            word.lower(): brand.name
            for brand in brands
            for word in (brand.name, *brand.names, *brand.aliases)
        }
        self._excluded = _pattern([e for brand in brands for e in brand.exclusions])
        self._handle = re.compile(r"(?<!\w)@(\w+)")
        self._word = _pattern(list(self._words))

    def find(self, text: str) -> tuple[str, ...]:
        """Names of the brands, in order of mention, each once."""
        found: dict[str, None] = {}
        for match in self._handle.finditer(text):
            brand = self._handles.get(match[1].lower())
            if brand is not None:
                found[brand] = None
        if self._word is not None:
            plain = self._excluded.sub(" ", text) if self._excluded else text
            for match in self._word.finditer(plain):
                found[self._words[match[0].lower()]] = None
        return tuple(found)

    def owner(self, handle: str | None) -> str | None:
        """The brand whose account this is."""
        return self._handles.get(handle.lower().removeprefix("@")) if handle else None


def _pattern(phrases: list[str]) -> re.Pattern[str] | None:
    if not phrases:
        return None
    longest_first = sorted(phrases, key=len, reverse=True)
    body = "|".join(re.escape(phrase) for phrase in longest_first)
    return re.compile(rf"(?<![\w@])(?:{body})(?!\w)", re.IGNORECASE)
