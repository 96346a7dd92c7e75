"""What a lane takes, in which order, without a broker."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from agents.flow import Batches, Outcome
from listener import lanes
from listener.lanes import FULL, Lane
from tests.lanes import Silent

LIMIT = 4


class Consumer:
    def __init__(self) -> None:
        self.full: set[TP] = set()
        self.behind: set[TP] = set()

    def on_buffer_full(self, place: TP) -> None:
        assert isinstance(place, TP), "Faust's consumer fails on any other tuple"
        self.full.add(place)

    def takes(self, place: TP, offset: int) -> bool:
        return True

    def lags(self, place: TP) -> bool:
        return place in self.behind

    def on_buffer_drop(self, place: TP) -> None:
        self.full.discard(place)


async def nothing(batches: Batches) -> AsyncIterator[Outcome]:
    async for _ in batches:
        yield Outcome([])


def lane(consumer: Consumer, *, tick: float | None = None) -> Lane:
    engine = SimpleNamespace(
        consumer=consumer, consumer_generation_id=1, rebalancing=False, in_recovery=False
    )
    return Lane(
        "test",
        nothing,
        engine=engine,
        limit=LIMIT,
        gather=0.0,
        watch=Silent(),
        fatal=lambda name, error: None,
        tick=tick,
    )


def event(partition: int, offset: int, timestamp: float) -> Any:
    message = SimpleNamespace(
        topic="t", partition=partition, offset=offset, timestamp=timestamp, generation_id=1
    )
    return SimpleNamespace(message=message)


@given(
    st.lists(st.lists(st.floats(0, 100), max_size=30).map(sorted), min_size=1, max_size=4),
    st.randoms(),
)
def test_the_oldest_message_at_hand_goes_first(parts: list[list[float]], rng: Any) -> None:
    """A backlog of several partitions is worked off in the order in which it came, and each
    partition in its own."""
    consumer = Consumer()
    subject = lane(consumer)
    events = [[event(n, i, t) for i, t in enumerate(part)] for n, part in enumerate(parts)]
    queues = [list(part) for part in events if part]
    while queues:
        queue = rng.choice(queues)
        subject._put(queue.pop(0))
        queues = [q for q in queues if q]

    async def take_all() -> list[Any]:
        taken: list[Any] = []
        while subject._waiting:
            batch = await subject._take()
            assert 1 <= len(batch) <= LIMIT
            subject._make_room()
            taken += batch
        return taken

    taken = [e.message for e in asyncio.run(take_all())]
    assert [m.timestamp for m in taken] == sorted(m.timestamp for m in taken)
    for number, part in enumerate(parts):
        assert [m.offset for m in taken if m.partition == number] == list(range(len(part)))
    assert not consumer.full


async def test_a_partition_with_a_backlog_is_waited_for() -> None:
    """Its next records are older than what the others have brought: a quick partition would run
    hours of event time ahead, and the windows keep all of it."""
    consumer = Consumer()
    subject = lane(consumer)
    subject._put(event(0, 0, 1.0))
    subject._put(event(1, 0, 2.0))
    subject._put(event(1, 1, 9.0))
    consumer.behind = {TP("t", 0)}
    assert [e.message.timestamp for e in await subject._take()] == [1.0]
    taking = asyncio.ensure_future(subject._take())
    await asyncio.sleep(0.02)
    assert not taking.done()
    subject._put(event(0, 1, 3.0))
    consumer.behind = set()
    assert [e.message.timestamp for e in await taking] == [2.0, 3.0, 9.0]


async def test_no_partition_is_waited_for_twice_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker may say that there is more, and never bring it."""
    monkeypatch.setattr(lanes, "IDLE", 0.05)
    consumer = Consumer()
    subject = lane(consumer)
    subject._put(event(0, 0, 1.0))
    consumer.behind = {TP("t", 0)}
    await subject._take()
    for offset in range(3):
        subject._put(event(1, offset, 2.0))
        began = asyncio.get_running_loop().time()
        assert len(await subject._take()) == 1
        waited = asyncio.get_running_loop().time() - began
        assert (waited > 0.04) == (offset == 0)


def test_a_partition_that_runs_ahead_is_paused_alone() -> None:
    consumer = Consumer()
    subject = lane(consumer)
    for offset in range(FULL * LIMIT):
        subject._put(event(0, offset, 1.0))
    subject._put(event(1, 0, 0.0))
    assert consumer.full == {TP("t", 0)}


async def test_what_was_forgotten_for_a_rebalance_is_not_taken_in_again() -> None:
    """It will be read again by whoever has the partition then."""
    consumer = Consumer()
    subject = lane(consumer)
    for offset in range(FULL * LIMIT):
        subject._put(event(0, offset, 1.0))
    await subject.drain(deadline=1.0)
    subject._put(event(0, FULL * LIMIT, 1.0))
    assert not subject._waiting and not consumer.full


async def test_a_tick_is_an_empty_batch_whether_or_not_anything_waits() -> None:
    """Timers go on under load, and when nobody writes."""
    subject = lane(Consumer(), tick=0.01)
    subject.settle()
    assert await subject._take() == []
    subject._put(event(0, 0, 1.0))
    assert len(await subject._take()) == 1
    await asyncio.sleep(0.02)
    subject._put(event(0, 1, 1.0))
    assert await subject._take() == []
    assert len(await subject._take()) == 1


async def test_no_tick_between_a_rebalance_and_the_restored_state() -> None:
    """What is due there is not known."""
    subject = lane(Consumer(), tick=0.01)
    subject.settle()
    await subject.drain(deadline=1.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await subject._take()
    subject.settle()
    assert await subject._take() == []


async def test_a_quiet_lane_ticks_once_its_state_is_restored() -> None:
    """Before that, and after its partitions are gone, an empty batch would act on no state."""
    subject = lane(Consumer(), tick=0.01)
    taking = asyncio.ensure_future(subject._take())
    await asyncio.sleep(0.05)
    assert not taking.done()
    subject.settle()
    assert await taking == []
    await subject.drain(deadline=1.0)
    taking = asyncio.ensure_future(subject._take())
    await asyncio.sleep(0.05)
    assert not taking.done()
    taking.cancel()


async def test_a_record_ends_the_wait_for_a_tick() -> None:
    subject = lane(Consumer(), tick=60.0)
    subject.settle()
    taking = asyncio.ensure_future(subject._take())
    await asyncio.sleep(0)
    subject._put(event(0, 0, 1.0))
    assert len(await taking) == 1
