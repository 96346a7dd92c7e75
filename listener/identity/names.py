"""Names and handles in the one form that they are compared in, and how common a name is.

Frequencies of common names fall with their rank about as the US census's do; a directory's own
counts outweigh them as it grows (`Commonness`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

import msgspec


class _Lists(msgspec.Struct):
    surnames: tuple[str, ...]
    given: tuple[str, ...]
    nicknames: tuple[tuple[str, ...], ...]
    titles: tuple[str, ...]
    before: tuple[str, ...]
    """What handles have before a name, and behind it."""
    behind: tuple[str, ...]


_LISTS: Final = msgspec.json.decode(
    files("listener.identity").joinpath("names.json").read_bytes(), type=_Lists
)
_SURNAMES: Final = {n: 0.0085 * rank**-0.44 for rank, n in enumerate(_LISTS.surnames, 1)}
_GIVEN: Final = {n: 0.017 * rank**-0.42 for rank, n in enumerate(_LISTS.given, 1)}
_GROUPS: Final[dict[str, tuple[str, ...]]] = {}
for _group in _LISTS.nicknames:
    for _name in _group:
        _GROUPS[_name] = tuple(dict.fromkeys((*_GROUPS.get(_name, ()), *_group)))

RARE_SURNAME: Final = 1.5e-5
RARE_GIVEN: Final = 1e-4
BACKGROUND: Final = 10_000.0
"""Customers that a directory needs before its own counts weigh as much as the lists."""
_TITLES: Final = frozenset(_LISTS.titles)
_BEFORE: Final = re.compile(f"^(?:{'|'.join(_LISTS.before)})+")
_BEHIND: Final = re.compile(f"(?:{'|'.join(_LISTS.behind)})+$")
_WORD: Final = re.compile(r"[^\W\d_]+")


class Person(NamedTuple):
    """A name: first and last word, each folded. `given` is empty where there is one word only."""

    given: str
    surname: str
    joined: str = ""
    """The last two words in one, for surnames of two words."""


Count = Callable[[str], int]
"""A block's key → customers in it."""


class Commonness(NamedTuple):
    """How common names are: the lists, and what the directory itself has."""

    count: Count
    size: int

    def surname(self, name: str) -> float:
        return self._mixed(f"s:{name}", _SURNAMES.get(name, RARE_SURNAME))

    def given(self, name: str) -> float:
        return self._mixed(f"g:{root(name)}", _GIVEN.get(name, RARE_GIVEN))

    def _mixed(self, key: str, background: float) -> float:
        own = self.count(key)
        return (own + BACKGROUND * background) / (self.size + BACKGROUND)


@lru_cache(200_000)
def fold(text: str) -> str:
    """Lower case, without accents."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).lower()
    return "".join(c for c in plain if not unicodedata.combining(c))


@lru_cache(200_000)
def person_of(name: str) -> Person | None:
    """The name in a display name; None where there is no word in it."""
    before, comma, after = name.partition(",")
    ordered = f"{after} {before}" if comma and _words(after) else name
    words = _words(ordered)
    if not words:
        return None
    joined = "".join(words[-2:]) if len(words) > 2 else ""
    return Person(words[0] if len(words) > 1 else "", words[-1], joined)


def _words(text: str) -> list[str]:
    plain = fold(text).replace("'", "").replace("’", "")
    return [word for word in _WORD.findall(plain) if word not in _TITLES]


@lru_cache(200_000)
def core_of(handle: str) -> str:
    """Letters and digits of a handle, without its server."""
    local = fold(handle).removeprefix("@").partition("@")[0]
    return local if local.isalnum() else "".join(c for c in local if c.isalnum())


def letters_of(core: str) -> str:
    """Letters of a core."""
    return core if core.isalpha() else "".join(c for c in core if c.isalpha())


@lru_cache(200_000)
def bare(letters: str) -> str:
    """Letters without what many handles have at their ends (`the`, `official`)."""
    return _BEHIND.sub("", _BEFORE.sub("", letters))


def variants(given: str) -> tuple[str, ...]:
    """A given name and its nicknames."""
    return _GROUPS.get(given, (given,))


@lru_cache(50_000)
def root(given: str) -> str:
    """One name for all that may be nicknames of each other."""
    return min((given, *variants(given)))


@lru_cache(50_000)
def roots(given: str) -> tuple[str, ...]:
    """The roots that a name which may be meant by this one can have."""
    return tuple({root(one) for one in (given, *variants(given))})


def is_given(word: str) -> bool:
    """Whether a word is known as a given name."""
    return word in _GIVEN or word in _GROUPS


def same_given(one: str, other: str) -> bool:
    return one == other or other in variants(one) or one in variants(other)
