"""Invented people for the linking benchmarks and tests: names, handles, relatives, decoys."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from listener.identity.names import _LISTS, core_of
from listener.records import Profile

GIVEN = _LISTS.given
SURNAMES = _LISTS.surnames
_STARTS = "Bal Cor Dra Fen Gal Hes Jor Kel Lom Mar Nov Ost Pel Quin Ros Sar Tor Ulm Var Wex Yor Zan"
_MIDDLES = "an bor del er fin gar is kow lan mer nor os per ro sen ti un va wi zel"
_ENDS = "a berg by dal er feld hof in ko lund man ner off ow quist sen son ski stad vic wald"
_PARTS = tuple(part.split() for part in (_STARTS, _MIDDLES, _ENDS))
_COMMON = [rank**-0.44 for rank in range(1, len(SURNAMES) + 1)]
_USUAL = [rank**-0.42 for rank in range(1, len(GIVEN) + 1)]
PLACES = ("Bonn", "Leeds", "Lyon", "Porto", "Austin", "Denver", "Boston", "Tampa", "Graz")


def surname(draw: Random) -> str:
    """A common one as often as the lists say, else one of 9,000 that are rare."""
    if draw.random() < 0.5:
        return draw.choices(SURNAMES, _COMMON)[0].title()
    return "".join(draw.choice(part) for part in _PARTS)


def given(draw: Random) -> str:
    return draw.choices(GIVEN, _USUAL)[0].title()


def handle(draw: Random, first: str, last: str) -> str:
    """In one of the ways in which people make them."""
    first, last = core_of(first), core_of(last)
    year, word = draw.randrange(50, 100), draw.choice(["knits", "runs", "cooks", "codes", "fan"])
    return draw.choice(
        [first + last, first[0] + last, f"{first}_{last}", f"{first}{last}{year}", last + first,
         f"{last}{year}", f"{first}{word}{year}", f"the{first}{last}", f"{first}.{last}",
         f"{word}{draw.randrange(10_000)}"]
    )  # fmt: skip


def invented(count: int, *, seed: int, networks: tuple[str, ...]) -> Iterator[tuple[str, Profile]]:
    """Customers with one handle each, on one of the networks."""
    draw = Random(seed)
    for number in range(count):
        first, last = given(draw), surname(draw)
        network = draw.choice(networks)
        yield (
            f"B{number}",
            Profile(
                names=(f"{first} {last}",),
                handles=(f"{network}:{handle(draw, first, last)}",),
                location=draw.choice(PLACES),
            ),
        )


def decoys(real: dict[str, Profile], *, seed: int, namesakes: float) -> dict[str, Profile]:
    """For every person: a relative with a handle of the same style, someone of the surname with
    the surname as handle, and a stranger whose handle differs by a letter; for a share of them
    also a namesake, with the same handle and a number."""
    draw = Random(seed)
    found = {}
    for name, profile in sorted(real.items()):
        last = profile.names[0].split()[-1]
        network, _, own = profile.handles[0].partition(":")
        first, third = given(draw), given(draw)
        stranger = f"{given(draw)} {surname(draw)}"
        people = [(f"{first} {last}", _styled(draw, own, first, last)),
                  (f"{third} {last}", f"{last}{draw.randrange(99)}"),
                  (stranger, _altered(draw, own))]  # fmt: skip
        if draw.random() < namesakes:
            people.append((profile.names[0], f"{own}{draw.randrange(10, 99)}"))
        for number, (called, styled) in enumerate(people):
            found[f"{name}-{number}"] = Profile(names=(called,), handles=(f"{network}:{styled}",))
    return found


def _styled(draw: Random, own: str, first: str, last: str) -> str:
    """`RepAdrianSmith` → `RepJasonSmith`; `SenWarren` → `SenWarrenTX`."""
    prefix = next((p for p in ("Rep", "Sen", "rep", "sen") if own.startswith(p)), "")
    state = draw.choice(["TX", "CA", "NY"])
    ways = [f"{first}{last}", f"{last}{state}", f"{first[0]}{last}"]
    return prefix + draw.choice(ways)


def _altered(draw: Random, text: str) -> str:
    place = draw.randrange(len(text))
    other = draw.choice([c for c in "aeiorstn" if c != text[place].lower()])
    return text[:place] + other + text[place + 1 :]
