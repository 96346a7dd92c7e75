from hypothesis import given
from hypothesis import strategies as st

from listener.candidates import Candidates
from listener.identity import blocks_of
from listener.records import Profile

NAMES = st.sampled_from(["Ann Ash", "Bob Ash", "Ann Stone", "Cleo Rivers"])
CHANGES = st.lists(
    st.tuples(st.sampled_from(["c1", "c2", "c3"]), st.one_of(st.none(), NAMES)), max_size=30
)


@given(CHANGES, st.integers(1, 8))
def test_blocks_hold_who_is_in_them_now(changes: list[tuple[str, str | None]], fresh: int) -> None:
    """Whatever was put, replaced and withdrawn, sorted in or still on top."""
    held, truth = Candidates(fresh=fresh), dict[str, Profile]()
    for customer, name in changes:
        profile = Profile(names=(name,)) if name else None
        held.put(customer, profile)
        truth.pop(customer, None)
        if profile:
            truth[customer] = profile
    assert len(held) == len(truth)
    for block in ("s:ash", "s:stone", "n:ann ash", "i:cRivers", "g:bob"):
        found = dict(held.find([block], most=50))
        assert found == {c: p for c, p in truth.items() if block in blocks_of(p)}
        assert held.count(block) >= len(found)
