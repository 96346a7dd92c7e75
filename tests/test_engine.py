from types import SimpleNamespace
from typing import Any

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from listener.engine import GuardedConsumer
from listener.topics import MENTIONS, STATE_BRANDS

PLACE = TP("t", 0)


def consumer(*, committed: int) -> Any:
    found: Any = GuardedConsumer.__new__(GuardedConsumer)
    found._acked = {PLACE: []}
    found._acked_index = {PLACE: set()}
    found._gap = {PLACE: None}
    found._committed_offset = {PLACE: committed}
    found._unacked_messages = set()
    return found


class Message:
    def __init__(self, offset: int) -> None:
        self.offset, self.tp, self.acked = offset, PLACE, False


@given(st.integers(1, 40).flatmap(lambda n: st.permutations(range(10, 10 + n))))
def test_no_commit_ever_passes_a_message_in_flight(order: list[int]) -> None:
    """faust-streaming issue 606: acknowledgements come out of order; after a kill at any moment
    everything that was not acknowledged is read again."""
    guarded = consumer(committed=10)
    messages = {offset: Message(offset) for offset in order}
    guarded._unacked_messages = set(messages.values())
    for offset in order:
        messages[offset].acked = True
        guarded._unacked_messages.discard(messages[offset])
        guarded._acked[PLACE].append(offset)
        lowest = min((m.offset for m in guarded._unacked_messages), default=10 + len(order))
        commit = guarded._new_offset(PLACE)
        if commit is not None:
            assert commit <= lowest
            guarded._committed_offset[PLACE] = commit
    assert guarded._committed_offset[PLACE] == 10 + len(order)


def test_a_changelog_is_no_stalled_stream() -> None:
    """Five minutes after its start a worker must not log errors of what works as it should."""
    guarded = consumer(committed=0)
    looked_at: list[str] = []
    guarded._thread = SimpleNamespace(verify_event_path=lambda now, tp: looked_at.append(tp.topic))
    for topic in (MENTIONS.name, STATE_BRANDS.name):
        guarded.verify_event_path(0.0, TP(topic, 0))
    assert looked_at == [MENTIONS.name]
