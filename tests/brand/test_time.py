"""Event time: grace, late mentions, several partitions, silences."""

import random
from datetime import timedelta

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from listener.brand import BrandState, observe, risk
from listener.records import BrandEvidence, BrandRisk
from tests.brand.streams import POLICY, burst, days_of_calm, evidence, figures, told
from tests.worlds import NOW

END = 3 * 1440
QUICK = settings(
    # A stream of days takes long to shrink and tells no more for it.
    max_examples=8, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)  # fmt: skip


def stream() -> list[BrandEvidence]:
    """Three calm days, a burst with copies in it, a silence of two days, a calm hour."""
    copied = burst(END, size=80)
    copied = [
        msgspec.structs.replace(e, fingerprint=f"{n % 20 << 40:016x}") for n, e in enumerate(copied)
    ]
    after = [evidence(60_000 + n, END + 2 * 1440 + n * 5) for n in range(40)]
    return [*days_of_calm(), *copied, *after]


@QUICK
@given(seed=st.integers(0, 10_000))
def test_a_stream_shuffled_inside_the_grace_gives_identical_output(seed: int) -> None:
    """Every figure and the whole state, whatever the order of arrival within two minutes."""
    rng = random.Random(seed)
    moved = sorted(stream(), key=lambda e: e.event_time + timedelta(seconds=rng.uniform(0, 120)))
    assert figures(stream()) == figures(moved)
    straight, shuffled = told(stream()), told(moved)
    straight.paths.clear()
    shuffled.paths.clear()
    assert msgspec.to_builtins(straight) == msgspec.to_builtins(shuffled)


def by_partitions(seed: int, *, behind: float) -> list[tuple[str, BrandEvidence]]:
    """Three partitions that run up to `behind` minutes apart, from the first hour on."""
    rng = random.Random(seed)
    lag = {name: rng.uniform(0, behind) for name in "abc"}
    placed = [(rng.choice("abc"), item) for item in stream()]
    return sorted(placed, key=lambda p: p[1].event_time + timedelta(minutes=lag[p[0]]))


@QUICK
@given(seed=st.integers(0, 10_000))
def test_partitions_that_run_apart_give_identical_output(seed: int) -> None:
    """A backlog of several partitions, half an hour apart: the windows wait for the slowest."""
    state, found, late = BrandState(), list[BrandRisk](), 0
    for path, item in by_partitions(seed, behind=30):
        found += observe(item, state, POLICY, path=path, now=NOW)
        late = state.late
    assert late == 0
    assert found == figures(stream())[: len(found)]
    assert found


def test_a_partition_that_went_silent_holds_nobody_up() -> None:
    """After the policy's patience, by the broker's clock, the others go on."""
    state = BrandState()
    observe(evidence(1, 0), state, POLICY, path="a", now=NOW)
    observe(evidence(2, 1), state, POLICY, path="b", now=NOW)
    observe(evidence(3, 300), state, POLICY, path="b", now=NOW + timedelta(seconds=3))
    assert state.ticked == 0
    observe(evidence(4, 301), state, POLICY, path="b", now=NOW + timedelta(seconds=6))
    assert state.ticked > 0


def test_a_late_mention_counts_and_is_called_late() -> None:
    """It joins its own five minutes, also hours later."""
    calm = days_of_calm()
    state = told([*calm, evidence(70_000, END - 200)])
    assert state.late == 1
    assert risk(state, POLICY, brand="Acme").mentions_24h == 97


def test_a_silence_ends_what_was_open() -> None:
    """Nothing heard for more than a day: the incident is over, and quiet hours are baseline."""
    after = [evidence(60_000 + n, END + 3 * 1440 + n * 5) for n in range(40)]
    figure = figures([*days_of_calm(), *burst(END), *after])[-1]
    assert figure.incident is not None
    assert figure.incident.ended_at is not None
    assert figure.channels["public"].baseline_days > 5.9
