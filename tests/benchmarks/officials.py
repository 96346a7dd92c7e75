"""Precision and recall of T3 on public officials: an account of one network against people known
by an account of another. `LISTENER_OFFICIALS=officials.jsonl python -m tests.benchmarks.officials`

Half of the people give the weights (`--write` stores them in the package), the other half are
measured. In each directory half of the people asked for are absent, and each has three decoys.
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from random import Random
from time import perf_counter

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
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    Random(11).shuffle(rows)
    people = [(row["person"], profile_of(row)) for row in rows]
    return dict(people[::2]), dict(people[1::2])


def profile_of(row: dict[str, object]) -> Profile:
    accounts: dict[str, str] = row["accounts"]  # type: ignore[assignment]
    return Profile(
        names=(str(row["name"]),),
        handles=tuple(f"{network}:{handle}" for network, handle in accounts.items()),
        location=str(row["state"]),
    )


if __name__ == "__main__":
    main()
