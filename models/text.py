"""Posts as the encoder reads them, the same in training and in service.

The encoder was trained on clean text; handles, links, emoji and stretched words cost it word pieces
that carry no meaning, or hide one.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import emoji

LIMIT: Final = 4000
"""Characters looked at: more than any encoder's window, little enough to stay fast."""

_URL: Final = re.compile(r"<url>|https?://\S+|www\.\S+")
_PRIVATE: Final = re.compile(r"(?<!\w)@user\w*", re.IGNORECASE)
_NAMED: Final = re.compile(r"(?<!\w)@(?!user)(\w+)", re.IGNORECASE)
_HASHTAG: Final = re.compile(r"#(\w+)")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|_")
_STRETCH: Final = re.compile(r"(\w)\1{2,}")
_MARKS: Final = re.compile(r"([!?.])\1{2,}")
_SPACE: Final = re.compile(r"\s+")


def prepare(text: str) -> str:
    """One line: emoji as words, hashtags and named handles split, pseudonyms `@user`, links `http`.

    A named handle stays: it tells a message to a company from talk among people, and the two are
    read by other standards. A text of emoji only becomes their names; a text of nothing visible
    becomes empty.
    """
    text = unicodedata.normalize("NFC", text[:LIMIT])
    text = _URL.sub(" http ", text)
    text = _PRIVATE.sub("@user", text)
    text = _NAMED.sub(_split_handle, text)
    text = _HASHTAG.sub(_split_hashtag, text)
    text = emoji.demojize(text, delimiters=(" ", " ")) if not text.isascii() else text
    text = _visible(text)
    text = _STRETCH.sub(r"\1\1", text)
    text = _MARKS.sub(r"\1\1", text)
    return _SPACE.sub(" ", text.replace("_", " ")).strip()


def without_names(text: str) -> str:
    """The same text with `@company` for every named handle."""
    return _NAMED.sub("@company", text)


def _split_handle(match: re.Match[str]) -> str:
    return "@" + _CAMEL.sub(" ", match[1])


def _split_hashtag(match: re.Match[str]) -> str:
    return _CAMEL.sub(" ", match[1])


def _visible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if c.isspace() else c for c in text if _shown(c))


def _shown(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co"}
