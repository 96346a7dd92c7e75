"""Precision and recall of T3 on public officials: an account of one network against people known
by an account of another. `LISTENER_OFFICIALS=officials.jsonl python -m tests.benchmarks.officials`

Half of the people give the weights (`--write` stores them in the package), the other half are
measured. In each directory half of the people asked for are absent, and each has three decoys.

`--folds 5`: each fold's people are linked with weights and threshold from the others', from a start
that has seen nobody.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from random import Random
from time import perf_counter
from typing import NamedTuple

import msgspec

from listener.calibrating import Known, Result, calibrate, outcomes, trials
from listener.identity import Weights, packaged
from listener.identity.estimate import lower_end
from listener.records import Profile
from tests.people import decoys, invented

NETWORKS = ("twitter", "facebook", "instagram", "youtube", "mastodon")
BACKGROUND = int(os.environ.get("LISTENER_BACKGROUND", "20000"))
WEIGHTS = Path(__file__).parents[2] / "listener" / "identity" / "weights.json"


def main() -> None:
    if "--folds" in sys.argv:
        cross_validated(int(sys.argv[sys.argv.index("--folds") + 1]))
        return
    learn, measure = halves(Path(os.environ["LISTENER_OFFICIALS"]))
    others = dict(invented(BACKGROUND, seed=1, networks=NETWORKS))
    weights = packaged()
    if "--write" in sys.argv:
        began = perf_counter()
        weights = calibrate(learn, decoys(learn, seed=2, namesakes=0.0) | others, weights)
        print(f"estimated in {perf_counter() - began:.0f} s")
        WEIGHTS.write_bytes(msgspec.json.format(msgspec.json.encode(weights), indent=1) + b"\n")
    print(weights)
    people = measure if "--learnt" not in sys.argv else learn
    others = dict(invented(BACKGROUND, seed=3, networks=NETWORKS))
    for namesakes in (0.0, 0.1):
        print(f"\nnamesakes of {namesakes:.0%}")
        report(people, decoys(people, seed=4, namesakes=namesakes) | others, weights)


class Fold(NamedTuple):
    """What one fold gave: its threshold, links made and right at it, accounts whose owner was in
    the directory, and the same with namesakes among the decoys."""

    number: int
    threshold: float
    linked: int
    right: int
    known: int
    namesakes: tuple[int, int]


def blank() -> Weights:
    """A start that has seen nobody: round numbers, and what is set for place and domain."""
    packed = packaged()
    alike = (0.3, 0.5, 0.2)
    m = {"called": (0.1, 0.1, 0.2, 0.2, 0.4), "echo": alike, "short": alike, "handle": (0.25,) * 4}
    u = {"called": (0.999, 0.5, 0.0005, 0.0001, 0.0001), "handle": (0.97, 0.01, 0.01, 0.01)}
    u |= dict.fromkeys(("echo", "short"), (0.9, 0.09, 0.01))
    return Weights(m=packed.m | m, u=packed.u | u)


def cross_validated(count: int) -> None:
    people = shuffled(Path(os.environ["LISTENER_OFFICIALS"]), seed=23)
    with Pool(count) as pool:
        folds = pool.map(partial(fold, people=people, count=count), range(count))
    for one in folds:
        print(one)
    linked, right = sum(f.linked for f in folds), sum(f.right for f in folds)
    known, spread = sum(f.known for f in folds), [f.threshold for f in folds]
    low = lower_end(right, linked)
    print(
        f"{count} folds, {len(people)} people: {linked} linked, precision {right / linked:.4f} "
        f"(95 % from {low:.4f}), recall {right / known:.3f} of {known}; thresholds {min(spread)} "
        f"to {max(spread)}"
    )
    some, good = (sum(f.namesakes[n] for f in folds) for n in (0, 1))
    print(f"with namesakes of one in ten: {some} linked, precision {good / max(some, 1):.4f}")


def fold(number: int, *, people: list[tuple[str, Profile]], count: int) -> Fold:
    learn = dict(one for place, one in enumerate(people) if place % count != number)
    asked = dict(people[number::count])
    crowd = dict(invented(BACKGROUND, seed=30 + number, networks=NETWORKS))
    weights = calibrate(learn, decoys(learn, seed=40 + number, namesakes=0.0) | crowd, blank())
    crowd = dict(invented(BACKGROUND, seed=50 + number, networks=NETWORKS))
    tried = []
    for namesakes in (0.0, 0.1):
        others = decoys(asked, seed=60 + number, namesakes=namesakes) | crowd
        found = outcomes(trials(asked, others, seed=70 + number), weights)
        tried.append([one for one in found if one.probability >= weights.threshold])
    known = sum(one.trial.owner is not None for one in found)
    plain, hard = ((len(links), sum(one.right for one in links)) for links in tried)
    return Fold(number, weights.threshold, *plain, known, hard)


def report(people: Known, others: Known, weights: Weights) -> None:
    cases = list(trials(people, others, seed=5))
    found = outcomes(cases, weights)
    print(f"{len(cases)} accounts of {len(people)} people, {cases[0].held.profiles} in a directory")
    summary("all", found, weights.threshold)
    by = defaultdict(list)
    for one in found:
        by[one.trial.network].append(one)
    for network, part in by.items():
        summary(network, part, weights.threshold)
    for least in (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999):
        summary(f"at {least}", found, least)
    for low, high in ((0.0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 0.99), (0.99, 1.0)):
        part = [o for o in found if o.customer_id and low <= o.probability <= high]
        mean = sum(o.probability for o in part) / max(len(part), 1)
        right = sum(o.right for o in part) / max(len(part), 1)
        print(f"calibration {low}–{high}: {len(part)} trials, said {mean:.3f}, right {right:.3f}")
    if "--wrong" in sys.argv:
        for one in found:
            if one.probability >= weights.threshold and not one.right:
                asked, owner = one.trial.author.handle, one.trial.owner
                print(f"{one.probability:.3f} {asked} of {owner}: {one.customer_id}")


def summary(name: str, found: list[Result], least: float) -> None:
    linked = [one for one in found if one.probability >= least]
    right = sum(one.right for one in linked)
    known = sum(one.trial.owner is not None for one in found)
    low = lower_end(right, len(linked))
    print(
        f"{name}: {len(linked)} linked, precision {right / max(len(linked), 1):.4f} "
        f"(95 % from {low:.4f}), recall {right / max(known, 1):.3f} of {known}, "
        f"strangers {len(found) - known}"
    )


def halves(path: Path) -> tuple[Known, Known]:
    """Two halves of the people, drawn once for all."""
    people = shuffled(path, seed=11)
    return dict(people[::2]), dict(people[1::2])


def shuffled(path: Path, *, seed: int) -> list[tuple[str, Profile]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    Random(seed).shuffle(rows)
    return [(row["person"], profile_of(row)) for row in rows]


def profile_of(row: dict[str, object]) -> Profile:
    accounts: dict[str, str] = row["accounts"]  # type: ignore[assignment]
    return Profile(
        names=(str(row["name"]),),
        handles=tuple(f"{network}:{handle}" for network, handle in accounts.items()),
        location=str(row["state"]),
    )


if __name__ == "__main__":
    main()
