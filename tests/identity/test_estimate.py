"""Weights, measured on invented people: half of them known, half strangers."""

from random import Random

import msgspec
import pytest

from listener.calibrating import Known, calibrate, load_weights, outcomes, trials
from listener.errors import InputError, SettingsError
from listener.identity import packaged
from listener.identity.estimate import lower_end, platt, threshold_for
from listener.records import Profile
from tests.people import decoys, given, handle, surname

NETWORKS = ("x", "mastodon", "reddit")


def people(count: int, *, seed: int) -> Known:
    """Each on three networks, mostly under a handle that is theirs, as people do."""
    draw = Random(seed)
    found = {}
    for number in range(count):
        first, last = given(draw), surname(draw)
        own = handle(draw, first, last)
        styles = [own if draw.random() < 0.7 else handle(draw, first, last) for _ in range(3)]
        found[f"P{number}"] = Profile(
            names=(f"{first} {last}",),
            handles=tuple(
                f"{n}:{h}" for n, h in zip(("x", "mastodon", "reddit"), styles, strict=True)
            ),
        )
    return found


def test_links_at_the_threshold_are_right() -> None:
    """Precision at least .99 with relatives and near-misses in the directory; handles alone."""
    known = people(300, seed=1)
    cases = list(trials(known, decoys(known, seed=2, namesakes=0.0)))
    weights = packaged()
    found = [o for o in outcomes(cases, weights) if o.probability >= weights.threshold]
    right = sum(one.right for one in found)
    assert right / len(found) >= 0.99
    assert right / sum(case.owner is not None for case in cases) >= 0.4


def test_weights_estimated_from_a_directory_say_what_agreement_is_worth() -> None:
    """EM finds by itself that handles of one person agree more often than those of two."""
    weights = calibrate(people(120, seed=3), {}, packaged())
    assert weights.m["handle"][3] > 100 * weights.u["handle"][3]
    assert weights.m["echo"][1] > 2 * weights.u["echo"][1]
    assert sum(weights.m["called"]) == pytest.approx(1, abs=0.01)


def test_too_few_handles_give_no_weights() -> None:
    """Better ours than those of chance."""
    with pytest.raises(InputError, match="give more customers"):
        calibrate(people(5, seed=1), {}, packaged())


def test_platts_scale_mends_what_is_too_sure() -> None:
    """Log-odds twice as large as they should be get half the slope."""
    draw = Random(1)
    xs = [draw.uniform(-4, 4) for _ in range(4000)]
    truths = [draw.random() < 1 / (1 + 2.718281828 ** -(x / 2)) for x in xs]
    slope, offset = platt(xs, truths)
    assert slope == pytest.approx(0.5, abs=0.06)
    assert offset == pytest.approx(0, abs=0.15)


def test_the_threshold_holds_at_the_lower_end_of_its_interval() -> None:
    """A few right ones prove nothing."""
    assert threshold_for([0.9] * 50, [True] * 50, precision=0.99) == 1.0
    assert threshold_for([0.9] * 500, [True] * 500, precision=0.99) == 0.9
    assert lower_end(500, 500) > 0.99


def test_a_file_of_weights_that_does_not_fit_is_named(tmp_path: object) -> None:
    """Setting, field and remedy."""
    path = tmp_path / "w.json"  # type: ignore[operator]
    broken = msgspec.structs.replace(packaged(), m={"called": (1.0,)})
    path.write_bytes(msgspec.json.encode(broken))
    with pytest.raises(SettingsError, match="m.called needs 5 levels"):
        load_weights(path)
    with pytest.raises(SettingsError, match="LISTENER_IDENTITY_WEIGHTS="):
        load_weights(path.with_name("none.json"))
