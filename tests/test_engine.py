import asyncio
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
    st.lists(st.integers(5, 60)),
    st.randoms(use_true_random=False),
)
def test_records_are_taken_in_order_whatever_is_dropped(
    log: set[int], drops: list[int], rng: random.Random
) -> None:
    """Whatever the log lacks, whatever the engine drops and how often, whatever comes twice: each
    record is taken, once and in order, and the commit stands behind the last."""
    order = ReadingOrder()
    order.begin(PLACE, 5)
    stored, taken = sorted(log), []
    position, stale = 5, list[int]()
    for _ in range(1000):
        fetched = [offset for offset in stored if offset >= position][: rng.randint(1, 8)]
        order.fetched(PLACE, fetched)
        position = fetched[-1] + 1 if fetched else position
        arriving, stale, gap = stale, [], False
        for offset in fetched:
            if offset in drops:
                drops.remove(offset)
            else:
                arriving.append(offset)
        for n, offset in enumerate(arriving):
            verdict = order.verdict(PLACE, offset)
            if verdict is Verdict.TAKE:
                taken.append(offset)
            elif verdict is Verdict.GAP:
                gap = True
                # What was on its way before the seek may still come after it.
                stale = arriving[n + 1 : n + 1 + rng.randint(0, 2)]
                break
        if gap or (not fetched and PLACE in order.behind()):
            position = order.expected(PLACE) or 0
            order.again(PLACE, position)
        elif not fetched:
            break
    assert taken == stored
    assert order.committable(PLACE) == stored[0]
    for offset in taken:
        order.acknowledge(PLACE, offset)
    assert order.committable(PLACE) == stored[-1] + 1


def test_a_log_that_begins_anew_is_read_from_there() -> None:
    """A topic that was made again has lower offsets: refusing them would stop it without a word."""
    order = ReadingOrder()
    order.begin(PLACE, 500)
    order.fetched(PLACE, [3, 4])
    assert [order.verdict(PLACE, n) for n in (3, 4)] == [Verdict.TAKE, Verdict.TAKE]


def test_a_seek_waits_for_the_fetch_and_the_fetch_keeps_to_its_partitions() -> None:
    """In a rebalance Faust empties the set of partitions of a fetch that is under way; aiokafka
    takes that for all of them. What it then reads of a changelog is dropped, and a recovery that
    had gone to its place before never ends: CI's machine once stood still for that, too."""

    async def scenario() -> tuple[list[str], list[set[TP]]]:
        log: list[str] = []
        asked: list[set[TP]] = []
        rebalanced = asyncio.Event()

        async def getmany(active: set[TP], timeout: float) -> dict[TP, list[Any]]:
            await rebalanced.wait()
            asked.append(active)
            log.append("fetched")
            return {}

        async def seek_wait(places: dict[TP, int]) -> None:
            log.append("sought")

        guarded = consumer()
        guarded._assigned, guarded._gaps, guarded._behind, guarded._looked = None, set(), {}, 0.0
        guarded._fetching = asyncio.Lock()
        guarded._thread = SimpleNamespace(getmany=getmany, seek_wait=seek_wait)
        active = {PLACE}
        fetch = asyncio.ensure_future(guarded._getmany(active, 1.0))
        await asyncio.sleep(0)
        seek = asyncio.ensure_future(guarded.seek_wait({TP(STATE_BRANDS.name, 0): 0}))
        await asyncio.sleep(0)
        active.clear()
        rebalanced.set()
        await asyncio.gather(fetch, seek)
        return log, asked

    log, asked = asyncio.run(scenario())
    assert log == ["fetched", "sought"]
    assert asked == [{PLACE}]


def test_a_changelog_is_no_stalled_stream() -> None:
    """Five minutes after its start a worker must not log errors of what works as it should."""
    guarded = consumer()
    looked_at: list[str] = []
    guarded._thread = SimpleNamespace(verify_event_path=lambda now, tp: looked_at.append(tp.topic))
    for topic in (MENTIONS.name, STATE_BRANDS.name):
        guarded.verify_event_path(0.0, TP(topic, 0))
    assert looked_at == [MENTIONS.name]
