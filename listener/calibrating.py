"""Weights for probabilistic linking from customers who gave handles on several networks.

Each of their handles is hidden in turn; half of the customers are known by the rest, the other half
are strangers, whom no link should find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import log
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import msgspec

from listener.candidates import Candidates
from listener.customers import Row
from listener.errors import InputError, SettingsError
from listener.identity import Weights, packaged
from listener.identity.compare import LEVELS, Pattern, compare
from listener.identity.estimate import (
    Group,
    Levels,
    by_chance,
    expectation_maximisation,
    platt,
    threshold_for,
)
from listener.identity.names import Commonness
from listener.identity.probable import compared, ranked
from listener.identity.weights import strength
from listener.records import Author, Profile

SHARE: Final = 0.5
"""Of the trials' authors, how many are in their directory."""
PRECISION: Final = 0.99
LEAST_PROBABILITY: Final = 0.9
LEAST_TRIALS: Final = 50
CHANCE_PAIRS: Final = 100_000

Known = dict[str, Profile]
"""Customer → profile."""


def load_weights(path: Path | None) -> Weights:
    """The weights in a file; the packaged ones for None. Raises SettingsError."""
    if path is None:
        return packaged()
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Weights)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"LISTENER_IDENTITY_WEIGHTS={path}: {error}; write the file with "
            "`listener customers calibrate`, or unset it"
        ) from None
    for name, table in (("m", found.m), ("u", found.u)):
        for field, levels in LEVELS.items():
            if len(table.get(field, ())) != levels:
                raise SettingsError(
                    f"LISTENER_IDENTITY_WEIGHTS={path}: {name}.{field} needs {levels} levels; "
                    "write the file anew with `listener customers calibrate`"
                )
    return found


def profiles_of(rows: Iterable[Row]) -> Known:
    """What is compared, of the customers in a file."""
    customers = (row.customer for row in rows if row.customer is not None)
    return {
        c.customer_id: Profile(names=c.names, handles=c.handles, location=c.location)
        for c in customers
    }


class Held:
    """A directory of profiles alone. Implements `identity.probable.Blocks`."""

    def __init__(self, known: Known) -> None:
        self._candidates = Candidates()
        self._counts: dict[str, int] = {}
        for customer, profile in known.items():
            self._candidates.put(customer, profile)

    @property
    def profiles(self) -> int:
        return len(self._candidates)

    def similar(self, blocks: Sequence[str], *, most: int) -> list[tuple[str, Profile]]:
        return self._candidates.find(blocks, most=most)

    def willing(self, network: str) -> bool:
        """Nobody is asked in a trial."""
        return True

    def count(self, block: str) -> int:
        if block not in self._counts:
            self._counts[block] = self._candidates.count(block)
        return self._counts[block]


class Trial(NamedTuple):
    """An account whose owner we know, and a directory that may have them."""

    network: str
    author: Author
    owner: str | None
    """None: a stranger to this directory."""
    held: Held


class Result(NamedTuple):
    """What a trial's likeliest customer was: log-odds, probability and whether it is right."""

    trial: Trial
    customer_id: str | None
    probability: float
    pattern: Pattern | None = None

    @property
    def right(self) -> bool:
        return self.customer_id is not None and self.customer_id == self.trial.owner


def trials(known: Known, others: Known, *, seed: int = 7) -> Iterator[Trial]:
    """Every handle of `known` in turn; `others` fill the directory and are never asked for."""
    names = sorted(known)
    Random(seed).shuffle(names)
    halves = names[::2], names[1::2]
    networks = sorted({network for p in known.values() for network, _ in _handles(p)})
    for network in networks:
        for present in halves:
            inside = {name: _without(known[name], network) for name in present}
            held = Held(others | inside)
            for name in names:
                for where, handle in _handles(known[name]):
                    if where == network and (name not in inside or inside[name].handles):
                        author = Author(id=handle, handle=handle)
                        yield Trial(network, author, name if name in inside else None, held)


def outcomes(cases: Iterable[Trial], weights: Weights, *, share: float = SHARE) -> list[Result]:
    """The likeliest customer of each trial."""
    found = []
    for trial in cases:
        best = next(
            iter(ranked(trial.network, trial.author, trial.held, weights, share=share)), None
        )
        found.append(
            Result(trial, best.customer_id, best.probability, best.pattern)
            if best
            else Result(trial, None, 0.0)
        )
    return found


def calibrate(known: Known, others: Known, start: Weights, *, seed: int = 7) -> Weights:
    """Weights by EM over blocked pairs, u of random pairs, and a calibration on the trials.

    Raises InputError where too few customers have handles on two networks.
    """
    cases = list(trials(known, others, seed=seed))
    if len(cases) < LEAST_TRIALS:
        raise InputError(
            f"{len(cases)} handles can be hidden, {LEAST_TRIALS} are needed; give more customers "
            "with handles on two networks or more"
        )
    plain = msgspec.structs.replace(start, scales={}, threshold=1.0)
    chance = by_chance(_random(cases, known | others, seed), plain)
    raw = expectation_maximisation(_groups(cases), chance, share=SHARE)
    scaled = msgspec.structs.replace(raw, scales=_scales(outcomes(cases, raw)))
    found = outcomes(cases, scaled)
    probabilities = [one.probability for one in found]
    least = threshold_for(probabilities, [one.right for one in found], precision=PRECISION)
    return msgspec.structs.replace(scaled, threshold=round(max(least, LEAST_PROBABILITY), 4))


def _scales(found: Sequence[Result]) -> dict[str, tuple[float, float]]:
    scales = {}
    for kind in ("strong", "weak"):
        some = [one for one in found if one.pattern and strength(one.pattern) == kind]
        logits = [log(one.probability / (1 - one.probability)) for one in some]
        slope, offset = platt(logits, [one.right for one in some])
        scales[kind] = round(max(slope, 0.0), 4), round(offset, 4)
    return scales


def _groups(cases: Iterable[Trial]) -> list[Group]:
    return [
        Group(compared(t.network, t.author, t.held), Commonness(t.held.count, t.held.profiles))
        for t in cases
    ]


def _random(cases: Sequence[Trial], profiles: Known, seed: int) -> Counter[Levels]:
    """Patterns of accounts against customers drawn at random."""
    draw = Random(seed)
    pool = list(profiles.values())
    pairs: Counter[Levels] = Counter()
    for _ in range(CHANCE_PAIRS):
        trial = draw.choice(cases)
        profile = _without(draw.choice(pool), trial.network)
        pattern = compare(trial.network, trial.author, profile)
        if pattern is not None:
            pairs[pattern.levels] += 1
    return pairs


def _handles(profile: Profile) -> Iterator[tuple[str, str]]:
    for given in profile.handles:
        network, _, handle = given.partition(":")
        yield network.lower(), handle


def _without(profile: Profile, network: str) -> Profile:
    kept = tuple(f"{where}:{handle}" for where, handle in _handles(profile) if where != network)
    return msgspec.structs.replace(profile, handles=kept)
