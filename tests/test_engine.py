import random
from types import SimpleNamespace
from typing import Any

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from listener.engine import GuardedConsumer
from listener.reading import ReadingOrder, Verdict
from listener.topics import MENTIONS, STATE_BRANDS

PLACE = TP("t", 0)


def consumer() -> Any:
    found: Any = GuardedConsumer.__new__(GuardedConsumer)
    found.order = ReadingOrder()
    found._acked = {PLACE: []}
    found._acked_index = {PLACE: set()}
    return found


@given(st.integers(1, 40).flatmap(lambda n: st.permutations(range(10, 10 + n))))
def test_no_commit_ever_passes_a_message_in_flight(order: list[int]) -> None:
    """faust-streaming issue 606: acknowledgements come out of order; after a kill at any moment
    everything that was not acknowledged is read again."""
    guarded = consumer()
    guarded.order.begin(PLACE, 10)
    guarded.order.fetched(PLACE, sorted(order))
    for offset in sorted(order):
        assert guarded.order.verdict(PLACE, offset) is Verdict.TAKE
    waiting = set(order)
    for offset in order:
        guarded.order.acknowledge(PLACE, offset)
        guarded._acked[PLACE].append(offset)
        waiting.discard(offset)
        commit = guarded._new_offset(PLACE)
        assert commit == min(waiting, default=10 + len(order))
        assert all(acked >= commit for acked in guarded._acked[PLACE]), "what is done is forgotten"


def test_a_dropped_record_is_not_committed_by_the_one_behind_it() -> None:
    """The record at the committed offset was dropped, the next one has come: Faust's own reckoning
    commits 12, and ten kills of the airlines' replay once lost a post that way."""
    guarded = consumer()
    guarded.order.begin(PLACE, 10)
    guarded.order.fetched(PLACE, [10, 11])
    guarded._acked[PLACE].append(11)
    assert guarded.order.verdict(PLACE, 11) is Verdict.GAP
    assert guarded._new_offset(PLACE) == 10


@given(
    st.sets(st.integers(5, 60), min_size=1),
    st.sets(st.integers(5, 60)),
    st.randoms(use_true_random=False),
)
def test_records_are_taken_in_order_whatever_is_dropped(
    log: set[int], dropped: set[int], rng: random.Random
) -> None:
    """Whatever the log lacks, whatever the engine drops once, whatever comes twice: each record is
    taken, once and in order, and the commit stands behind the last."""
    order = ReadingOrder()
    order.begin(PLACE, 5)
    stored, lost, taken = sorted(log), set(dropped), []
    position, stale = 5, list[int]()
    for _ in range(1000):
        rest = [offset for offset in stored if offset >= position]
        fetched = rest[: rng.randint(1, 8)]
        if not fetched:
            break
        order.fetched(PLACE, fetched)
        position = fetched[-1] + 1
        arriving = stale + [offset for offset in fetched if offset not in lost]
        lost -= set(fetched)
        stale = []
        for n, offset in enumerate(arriving):
            verdict = order.verdict(PLACE, offset)
            if verdict is Verdict.TAKE:
                taken.append(offset)
            elif verdict is Verdict.GAP:
                expected = order.expected(PLACE)
                assert expected is not None
                position = expected
                order.again(PLACE)
                # What was on its way before the seek may still come, but not the same one first.
                stale = arriving[n + 1 : n + 1 + rng.randint(0, 2)]
                break
        else:
            if position > stored[-1] and lost.isdisjoint(stored) and taken == stored:
                break
            # A record at the end that was dropped is missed only once another one comes.
            if position > stored[-1]:
                position = order.expected(PLACE) or 0
                order.again(PLACE)
    assert taken == stored
    assert order.committable(PLACE) == stored[0]
    for offset in taken:
        order.acknowledge(PLACE, offset)
    assert order.committable(PLACE) == stored[-1] + 1


def test_a_changelog_is_no_stalled_stream() -> None:
    """Five minutes after its start a worker must not log errors of what works as it should."""
    guarded = consumer()
    looked_at: list[str] = []
    guarded._thread = SimpleNamespace(verify_event_path=lambda now, tp: looked_at.append(tp.topic))
    for topic in (MENTIONS.name, STATE_BRANDS.name):
        guarded.verify_event_path(0.0, TP(topic, 0))
    assert looked_at == [MENTIONS.name]
