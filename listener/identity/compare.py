"""One author against one customer: in which level each field agrees.

A handle often only spells the name. Then the two are one piece of evidence, so a spelt name counts
in `called`, and that both handles spell it the same way in `echo`, or in `short` where it is the
surname alone. Those two are rated among people of the same name; `handle` is for what a name does
not explain.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from rapidfuzz.distance import JaroWinkler
from rapidfuzz.fuzz import token_set_ratio
from rapidfuzz.utils import default_process

from listener.identity.names import (
    Person,
    bare,
    core_of,
    fold,
    is_given,
    letters_of,
    person_of,
    same_given,
    variants,
)
from listener.records import Author, Profile

MISSING: Final = -1
NONE, CLASH, SURNAME, INITIAL, FULL = range(5)
"""Levels of `called`; CLASH: the same surname with another given name."""
FIELDS: Final = ("called", "echo", "short", "handle", "place", "domain")
LEVELS: Final = {"called": 5, "echo": 3, "short": 3, "handle": 4, "place": 2, "domain": 3}
ALIKE: Final = 0.92
"""Jaro–Winkler similarity from which two handles are alike."""


class Pattern(NamedTuple):
    """Level of each field, or MISSING; the name that agreed, for how common it is."""

    called: int
    echo: int
    short: int
    handle: int
    place: int
    domain: int
    given: str = ""
    surname: str = ""
    letters: str = ""
    """Of the author's handle."""

    @property
    def levels(self) -> tuple[int, ...]:
        return self.called, self.echo, self.short, self.handle, self.place, self.domain


class _Called(NamedTuple):
    level: int
    person: Person | None = None


def compare(network: str, author: Author, profile: Profile) -> Pattern | None:
    """None where the customer gave another handle on this very network: it is not this one."""
    mine = core_of(author.handle) if author.handle else ""
    theirs = [given.partition(":") for given in profile.handles]
    if any(where.lower() == network and core_of(h) != mine for where, _, h in theirs):
        return None
    cores = [core_of(h) for _, _, h in theirs]
    letters = letters_of(mine)
    spelled = _best(_spelled(letters, one) for one in _people(profile)) if mine else None
    called = _called(author, profile, spelled)
    echo, short, handle = _handles(mine, cores, spells=spelled.level if spelled else NONE)
    person = called.person
    return Pattern(
        called.level,
        echo,
        short,
        handle,
        _place(author.location, profile.location),
        _domain(author, profile),
        person.given if person else "",
        person.surname if person else "",
        letters,
    )


def _people(profile: Profile) -> Iterator[Person]:
    for name in profile.names:
        person = person_of(name)
        if person is not None:
            yield person
            if person.joined:
                yield Person(person.given, person.joined)


def _called(author: Author, profile: Profile, spelled: _Called | None) -> _Called:
    """By display name or handle, whichever says more; but a clash of names stands."""
    shown = person_of(author.name) if author.name else None
    people = list(_people(profile))
    if not people or (shown is None and spelled is None):
        return _Called(MISSING)
    by_name = _best(_shown(shown, person) for person in people) if shown else _Called(NONE)
    by_handle = spelled or _Called(NONE)
    if CLASH in (by_name.level, by_handle.level) and FULL not in (by_name.level, by_handle.level):
        return by_name if by_name.level == CLASH else by_handle
    return max(by_name, by_handle, key=lambda called: called.level)


def _best(found: Iterator[_Called]) -> _Called:
    return max(found, key=lambda called: called.level, default=_Called(NONE))


def _shown(shown: Person, person: Person) -> _Called:
    """A display name against a name, in either order."""
    if not shown.given:
        return _Called(SURNAME if shown.surname == person.surname else NONE, person)
    for given, surname in ((shown.given, shown.surname), (shown.surname, shown.given)):
        if surname in (person.surname, person.joined) or shown.joined == person.surname:
            return _Called(_given_level(given, person.given), person)
    close = JaroWinkler.similarity(shown.surname, person.surname) >= 0.95
    return _Called(INITIAL if close and same_given(shown.given, person.given) else NONE, person)


def _given_level(given: str, other: str) -> int:
    if not other:
        return SURNAME
    if same_given(given, other):
        return FULL
    if given[0] == other[0] and 1 in (len(given), len(other)):
        return INITIAL
    return CLASH if is_given(given) or JaroWinkler.similarity(given, other) < 0.8 else SURNAME


@lru_cache(200_000)
def _spelled(letters: str, person: Person) -> _Called:
    """A handle's letters against a name."""
    surname, given = person.surname, person.given
    place = letters.find(surname)
    if place < 0 or len(surname) < 2:
        return _Called(NONE)
    rest = bare(letters[:place]) + bare(letters[place + len(surname) :])
    if not rest:
        return _Called(SURNAME if len(surname) > 3 else NONE, person)
    if given and _starts_with(rest, given):
        return _Called(FULL, person)
    if given and len(surname) > 2 and rest == given[0]:
        return _Called(INITIAL, person)
    if len(surname) < 5 and len(rest) > 2:
        return _Called(NONE)
    return _Called(CLASH if _names_another(rest) else SURNAME, person)


def _starts_with(rest: str, given: str) -> bool:
    return any(
        rest.startswith(one) or rest.endswith(one)
        for one in {given, *(v for v in variants(given) if len(v) > 2)}
        if len(one) > 1
    )


def _names_another(rest: str) -> bool:
    """Whether what is left of a handle is, or begins with, some other given name."""
    return any(is_given(rest[:cut]) for cut in range(len(rest), 3, -1)) or is_given(rest)


def _handles(mine: str, theirs: list[str], *, spells: int) -> tuple[int, int, int]:
    """Levels of `echo`, `short` and `handle`; two of the three are missing.

    Handles that spell the name are alike in level 1, and to the last of their numbers in level 2.
    """
    if not mine or not theirs:
        return MISSING, MISSING, MISSING
    letters, others = bare(letters_of(mine)), [bare(letters_of(core)) for core in theirs]
    if spells >= CLASH:
        numbered = any(c.isdigit() for c in mine)
        same = 2 if numbered and mine in theirs else int(mine in theirs or letters in others)
        return (same, MISSING, MISSING) if spells > SURNAME else (MISSING, same, MISSING)
    if mine in theirs:
        return MISSING, MISSING, 3
    if len(letters) > 3 and letters in others:
        return MISSING, MISSING, 2
    alike = max(JaroWinkler.similarity(letters, other) for other in others)
    return MISSING, MISSING, int(alike >= ALIKE and len(letters) > 4)


def _place(mine: str | None, theirs: str | None) -> int:
    if not mine or not theirs:
        return MISSING
    return int(token_set_ratio(fold(mine), fold(theirs), processor=default_process) >= 80)


def _domain(author: Author, profile: Profile) -> int:
    """2: a domain of the customer; 1: it spells the customer's name or handle."""
    if not author.verified_domains:
        return MISSING
    mine = [name.lower().removeprefix("www.") for name in author.verified_domains]
    if set(mine) & {name.lower().removeprefix("www.") for name in profile.domains}:
        return 2
    labels = [bare(letters_of(core_of(name.partition(".")[0]))) for name in mine]
    spelt = [_spelled(label, p).level for label in labels for p in _people(profile) if label]
    cores = {bare(letters_of(core_of(h.partition(":")[2]))) for h in profile.handles}
    return int(max(spelt, default=0) >= INITIAL or bool(cores & set(labels)))
