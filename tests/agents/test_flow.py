"""The rules that every hop keeps, shown without a broker."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.escalate import Escalation, Subject, escalating
from agents.flow import Hop, Incoming, Ledger, Origin, Outcome, overlapped
from agents.normalise import normalise
from agents.timetable import StreamClock
from listener.codec import decode, encode
from listener.escalation import EscalationPolicy
from listener.fit import FitPolicy
from listener.records import DeadLetter
from listener.sources import FORMATS
from listener.sources.masking import mask_bytes
from listener.topics import ALERTS, STATE_SUBJECTS
from tests.worlds import NOW, labels, linked


def coming(offset: int, value: bytes | None, *, origin: Origin | None = None) -> Incoming:
    return Incoming("t", 0, offset, b"k", value, NOW, origin)


async def run(hop: Hop, *batches: list[Incoming]) -> list[Outcome]:
    async def stream() -> AsyncIterator[list[Incoming]]:
        for batch in batches:
            yield batch

    return [outcome async for outcome in hop(stream())]


class Count(msgspec.Struct):
    n: int = 0


def ledger(table: dict[bytes, bytes], *, remembered: int = 100) -> Ledger[Count]:
    return Ledger(table, topic=STATE_SUBJECTS, kind=Count, remembered=remembered)


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=12),
    kills=st.lists(st.integers(0, 11), max_size=4),
    written=st.integers(0, 5),
)
def test_counts_are_exact_whatever_is_killed_and_sent_again(
    sizes: list[int], kills: list[int], written: int
) -> None:
    """A kill forgets what was not written; the batch comes again with new offsets, and the part of
    it that was written does not count twice."""
    durable: dict[bytes, bytes] = {}
    counts = ledger({})
    offset = position = 0
    for number, size in enumerate(sizes):
        batch = [Origin("raw.0/1", position + n) for n in range(size)]
        position += size
        for attempt in range(1 + kills.count(number)):
            counts = ledger(dict(durable)) if attempt else counts
            for at, origin in enumerate(batch):
                offset += 1
                key = f"k{at % 2}"
                state = counts.open(key, coming(offset, None, origin=origin))
                if state is not None:
                    state.n += 1
            records = counts.written()
            last = attempt == kills.count(number)
            for record in records if last else records[:written]:
                assert record.key is not None
                assert record.value is not None
                durable[record.key] = record.value
    final = ledger(durable)
    assert sum(final.peek(f"k{n}").n for n in range(2)) == sum(sizes)


def test_a_ledger_remembers_few_and_loses_none() -> None:
    """Decoded records are bounded; what falls out is read from the table again."""
    table: dict[bytes, bytes] = {}
    counts = ledger(table, remembered=3)
    for n in range(50):
        state = counts.open(f"k{n}", coming(n, None))
        assert state is not None
        state.n += 1
        counts.written()
    assert all(counts.peek(f"k{n}").n == 1 for n in range(50))


def test_origins_survive_the_wire() -> None:
    """Path and position, with the partitions on the way."""
    first = Incoming("raw.x", 2, 7, None, None, NOW)
    assert first.onward(index=1) == Origin("raw.x.2", 7 * 64 + 1)
    second = coming(0, None, origin=Origin.parse(first.onward().header()))
    assert second.onward() == Origin("raw.x.2/0", 7 * 64)


async def test_a_bad_record_is_a_dead_letter_and_the_rest_goes_on() -> None:
    """Stage, field path, reason and masked bytes; the good ones are not held up."""
    hop = normalise({"t": FORMATS["airlines"]}, lambda m: m, mask=mask_bytes)
    good = encode({"id": "1", "author": "ann", "created_at": NOW, "text": "x"})
    bad = encode({"id": "2", "author": "ann", "created_at": NOW, "text": 5, "to": "a@b.example"})
    (outcome,) = await run(hop, [coming(0, good), coming(1, bad), coming(2, None)])
    assert [out.topic for out in outcome.outputs] == [
        "listener.mentions",
        "listener.dead-letters",
        "listener.dead-letters",
    ]
    letter: DeadLetter = decode(outcome.outputs[1].value, DeadLetter)
    assert (letter.stage, letter.field, letter.offset) == ("normalise", "$.text", 1)
    assert b"<email>" in letter.raw


async def test_authors_who_opted_out_are_dropped_at_the_door() -> None:
    """Nothing of them is stored, not even a dead letter."""
    hop = normalise({"t": FORMATS["canonical"]}, lambda m: m, mask=mask_bytes)
    raw = {"id": "1", "network": "x", "author": {"id": "7", "opted_out": True}, "text": "x"}
    (outcome,) = await run(hop, [coming(0, encode(raw | {"created_at": NOW}))])
    assert outcome.outputs == []


async def test_escalate_gives_alerts_and_their_state_and_repeats_nothing() -> None:
    """The same record again, from the same origin, changes neither state nor outputs."""
    subjects = Ledger({}, topic=STATE_SUBJECTS, kind=Subject)
    clock = StreamClock(lambda: NOW)
    work = Escalation(subjects, policy=EscalationPolicy(), fit=FitPolicy(), clock=clock)
    hop = escalating(work, mask=mask_bytes)
    value = encode(linked(judged=labels(legal=0.95)))
    origin = Origin("raw.0", 64)
    first, second = await run(
        hop, [coming(0, value, origin=origin)], [coming(1, value, origin=origin)]
    )
    assert [out.topic for out in first.outputs if out.topic == ALERTS.name] == [ALERTS.name] * 2
    assert len(first.state) == 1
    assert second.outputs == []


async def numbers(count: int, *, fault: bool = False) -> AsyncIterator[int]:
    for number in range(count):
        yield number
    if fault:
        raise ValueError("no more")


@given(st.lists(st.floats(0, 0.002), max_size=12))
def test_overlapped_work_keeps_its_order(waits: list[float]) -> None:
    async def slow(number: int) -> int:
        await asyncio.sleep(waits[number])
        return number

    async def results() -> list[int]:
        return [n async for n in overlapped(numbers(len(waits)), slow)]

    assert asyncio.run(results()) == list(range(len(waits)))


async def test_the_next_work_begins_before_the_last_result_is_used() -> None:
    begun: list[int] = []

    async def note(number: int) -> int:
        begun.append(number)
        return number

    async for number in overlapped(numbers(3), note):
        await asyncio.sleep(0.01)
        assert begun[: number + 2] == list(range(min(number + 2, 3)))


async def test_a_fault_of_the_work_or_of_its_input_is_raised_where_results_are_read() -> None:
    async def divide(number: int) -> float:
        return 1 / number

    with pytest.raises(ZeroDivisionError):
        _ = [n async for n in overlapped(numbers(3), divide)]

    async def same(number: int) -> int:
        return number

    with pytest.raises(ValueError, match="no more"):
        _ = [n async for n in overlapped(numbers(3, fault=True), same)]
