"""Event time: grace, late mentions, several partitions, silences."""

import random
from datetime import timedelta

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from listener.brand import BrandState, due, lapse, observe, risk
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


LATER = [evidence(60_000 + n, END + 300 + n * 5) for n in range(40)]
"""What breaks a silence of four hours."""


def after_burst() -> tuple[BrandState, list[BrandRisk]]:
    state = BrandState()
    found = [f for e in [*days_of_calm(), *burst(END)] for f in observe(e, state, POLICY)]
    return state, found


@QUICK
@given(looks=st.lists(st.integers(60, 300), max_size=20))
def test_time_alone_gives_what_the_next_mention_would_have_given(looks: list[int]) -> None:
    """Whenever the clock is looked at in a silence: the same figures in the same order, the same
    state after it."""
    state, found = after_burst()
    for minutes in sorted(looks):
        found += lapse("Acme", state, POLICY, now=NOW + timedelta(minutes=END + minutes))
    for item in LATER:
        found += observe(item, state, POLICY)
    assert found == figures([*days_of_calm(), *burst(END), *LATER])
    assert msgspec.to_builtins(state) == msgspec.to_builtins(
        told([*days_of_calm(), *burst(END), *LATER])
    )


def test_an_incident_closes_by_time_and_then_nothing_waits() -> None:
    """Half an hour of calm closes it, as with mentions; before that nothing is due."""
    state, found = after_burst()
    assert found[-1].incident is not None
    assert found[-1].incident.open
    wake = due(state, POLICY)
    assert wake is not None
    early = NOW + timedelta(seconds=wake - NOW.timestamp() - 1)
    assert lapse("Acme", state, POLICY, now=early) == []
    (*_, last) = lapse("Acme", state, POLICY, now=NOW + timedelta(minutes=END + 600))
    assert last.incident is not None
    assert last.incident.ended_at is not None
    assert last.incident.ended_at < NOW + timedelta(minutes=END + 120)
    assert last.at < NOW + timedelta(minutes=END + 180)
    assert due(state, POLICY) is None
    assert lapse("Acme", state, POLICY, now=NOW + timedelta(days=9)) == []


def test_a_ticket_that_three_days_still_hold_up_ends_with_a_day_of_silence() -> None:
    """Its burn of three days would keep it open, but nobody complains any more: it ends when it
    does with a mention after the silence."""
    ends = []
    for with_mention in (False, True):
        state, _ = after_burst()
        channel = state.channels["public"]
        assert channel.incident is not None
        channel.incident = msgspec.structs.replace(channel.incident, kind="ticket")
        channel.burst = None
        rules = msgspec.structs.replace(POLICY, ticket=0.01, page_fast=1e9, page_slow=1e9)
        if with_mention:
            for n in range(40):
                observe(evidence(60_000 + n, END + 4 * 1440 + n * 5), state, rules)
        else:
            lapse("Acme", state, rules, now=NOW + timedelta(minutes=END + 3 * 1440))
            assert due(state, rules) is None
        ends.append(state.channels["public"].incident)
    assert ends[0] is not None
    assert ends[1] is not None
    assert ends[0].ended_at is not None
    assert ends[0].ended_at == ends[1].ended_at
