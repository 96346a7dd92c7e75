"""Blocks: which customers are worth comparing with an author at all.

Each customer is in a few blocks, and an author looks into those that their name and handle may
mean. Large blocks are not opened: a common name alone never tells which of hundreds it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from listener.identity.names import Person, bare, core_of, letters_of, person_of, root, roots
from listener.records import Author, Profile

LONGEST: Final = 24
"""Letters of a handle that are looked at for names."""
SHORTEST: Final = 3


def blocks_of(profile: Profile) -> set[str]:
    """The blocks of a customer; those of given names are for counting only."""
    return {key for key in _of_customer(profile) if len(key) > SHORTEST}


def blocks_for(author: Author) -> list[str]:
    """The blocks to look into, for a handle and a display name."""
    keys: dict[str, None] = {}
    if author.handle:
        keys.update(dict.fromkeys(_for_handle(core_of(author.handle))))
    if author.name:
        keys.update(dict.fromkeys(_for_name(author.name)))
    for name in author.verified_domains:
        keys[f"d:{name.lower().removeprefix('www.')}"] = None
    return [key for key in keys if len(key) > SHORTEST]


def _of_customer(profile: Profile) -> Iterator[str]:
    for given in profile.handles:
        core = core_of(given.partition(":")[2])
        yield f"h:{core}"
        yield f"l:{bare(letters_of(core))}"
    for name in profile.names:
        person = person_of(name)
        if person is not None:
            yield from _of_person(person)
    for name in profile.domains:
        yield f"d:{name.lower().removeprefix('www.')}"


def _of_person(person: Person) -> Iterator[str]:
    for surname in filter(None, (person.surname, person.joined)):
        yield f"s:{surname}"
        if person.given:
            yield f"i:{person.given[0]}{surname}"
            yield f"n:{root(person.given)} {surname}"
    if person.given:
        yield f"g:{root(person.given)}"


def _for_handle(core: str) -> Iterator[str]:
    letters = letters_of(core)
    plain = bare(letters)
    yield f"h:{core}"
    yield f"l:{plain}"
    # `the` may be an article, and the start of `theodore`.
    for text in dict.fromkeys((plain, letters)):
        yield from _split(text[:LONGEST])


def _split(text: str) -> Iterator[str]:
    """Read as one or two names in every way."""
    yield f"s:{text}"
    if len(text) > SHORTEST:
        yield f"i:{text}"
        yield f"i:{text[-1]}{text[:-1]}"
    for cut in range(2, len(text) - 1):
        first, last = text[:cut], text[cut:]
        yield from _named(first, last)
        yield from _named(last, first)
        yield from (f"s:{part}" for part in (first, last) if len(part) > SHORTEST)


def _named(given: str, surname: str) -> Iterator[str]:
    yield from (f"n:{one} {surname}" for one in roots(given))


def _for_name(name: str) -> Iterator[str]:
    person = person_of(name)
    if person is None:
        return
    pairs = [(person.given, person.surname), (person.surname, person.given)]
    if person.joined:
        pairs.append((person.given, person.joined))
    for given, surname in pairs:
        if surname:
            yield f"s:{surname}"
        if given and surname:
            yield from _named(given, surname)
            yield f"i:{given[0]}{surname}"
            yield f"l:{given}{surname}"
            yield f"l:{given[0]}{surname}"
