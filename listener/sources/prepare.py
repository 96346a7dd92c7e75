"""From a parsed mention to one that may be stored: masked, with brands, language, fingerprint."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from listener.records import Mention
from listener.sources.brands import BrandFinder, BrandNames
from listener.sources.fingerprint import fingerprint
from listener.sources.language import LanguageDetector
from listener.sources.masking import mask


class Preparer:
    """One for each worker; its patterns and its language model are loaded once."""

    def __init__(self, brands: Sequence[BrandNames]) -> None:
        self._brands = BrandFinder(brands)
        self._languages = LanguageDetector()

    def prepare(self, mention: Mention) -> Mention:
        text = mask(mention.text)
        title = mask(mention.title) if mention.title else None
        return msgspec.structs.replace(
            mention,
            text=text,
            title=title,
            lang=mention.lang or self._languages.detect(text),
            fingerprint=fingerprint(text),
            brands=self._found(mention, f"{title}. {text}" if title else text),
        )

    def _found(self, mention: Mention, text: str) -> tuple[str, ...]:
        found = self._brands.find(text)
        owner = self._brands.owner(mention.author.handle) if mention.from_brand else None
        return tuple(dict.fromkeys((*((owner,) if owner else ()), *found)))
