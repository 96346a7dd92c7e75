"""The escalate and threads hops with their state, clocks and each other, without a broker."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from agents.escalate import Escalation, Subject, escalating
from agents.flow import Hop, Incoming, Ledger, Origin, Outcome, Outgoing
from agents.relinking import Relinking
from agents.threads import Place, Threads, threads
from agents.timetable import StreamClock
from listener.codec import decode, encode
from listener.directory import Directory
from listener.escalation import EscalationPolicy
from listener.fit import FitPolicy, band_of
from listener.identity import LinkPolicy, identities_of
from listener.records import (
    Action,
    Alert,
    Belongs,
    Customer,
    DeadLetter,
    FitEvidence,
    Forget,
    Gone,
    GroupHit,
    Link,
    Linked,
    ManualLink,
    Moved,
    Reply,
    Standing,
    SubjectStage,
    ThreadOf,
)
from listener.sources.masking import mask_bytes
from listener.topics import (
    ALERTS,
    DEAD_LETTERS,
    FIT_EVIDENCE,
    LINKED,
    MANUAL_LINKS,
    STAGES,
    STATE_SUBJECTS,
    STATE_THREADS,
    SUBJECT_EVENTS,
    THREADS,
)
from tests.escalation.desk import MILD, WORST, thankful
from tests.worlds import NOW, labels, linked

KINDS: dict[str, Any] = {
    ALERTS.name: Alert,
    THREADS.name: ThreadOf | Reply | Forget,
    SUBJECT_EVENTS.name: Reply | GroupHit | Moved | Belongs | Gone,
    DEAD_LETTERS.name: DeadLetter,
    LINKED.name: Linked,
    FIT_EVIDENCE.name: FitEvidence,
    STAGES.name: SubjectStage,
    MANUAL_LINKS.name: ManualLink,
}


class Bench:
    """One worker's escalate hop; its table outlives it."""

    def __init__(self, table: dict[bytes, bytes] | None = None, *, now: datetime = NOW) -> None:
        self.table = {} if table is None else table
        self.now = now
        self.verdicts: list[str] = []
        self.offset = 0
        self.start()

    def follow(self, directory: Directory) -> None:
        """Open alerts go by this directory."""
        self.work.relinking = Relinking(directory, LinkPolicy(), guess=None, clock=lambda: self.now)

    def start(self, *, owned: set[int] | None = None) -> None:
        """A new process with the same table."""
        subjects = Ledger(self.table, topic=STATE_SUBJECTS, kind=Subject)
        self.clock = StreamClock(lambda: self.now)
        self.work = Escalation(
            subjects,
            policy=EscalationPolicy(),
            fit=FitPolicy(),
            clock=self.clock,
            owned=lambda: owned,
            judged=lambda alert, verdict: self.verdicts.append(verdict),
        )
        self.hop = escalating(self.work, mask=mask_bytes)

    async def take(self, *records: Any, origin: Origin | None = None) -> list[Any]:
        """What a batch gives; none is a tick."""
        batch = []
        for record in records:
            self.offset += 1
            value = record if isinstance(record, bytes) else encode(record)
            batch.append(Incoming("t", 0, self.offset, b"k", value, self.now, origin))
        (outcome,) = await run(self.hop, batch)
        return read(outcome)

    async def alerts(self, *records: Any) -> list[str]:
        return [a.state for a in await self.take(*records) if isinstance(a, Alert)]


async def run(hop: Hop, *batches: list[Incoming]) -> list[Outcome]:
    async def stream() -> AsyncIterator[list[Incoming]]:
        for batch in batches:
            yield batch

    return [outcome async for outcome in hop(stream())]


def read(outcome: Outcome) -> list[Any]:
    return [decode(out.value, KINDS[out.topic]) for out in outcome.outputs]


def action(kind: str, alert: Alert, **changes: Any) -> Action:
    fields: dict[str, Any] = {
        "action_id": f"{kind} {changes}",
        "alert_id": alert.alert_id,
        "subject": alert.subject,
        "kind": kind,
        "actor": "me",
        "at": NOW,
    }
    return Action(**(fields | changes))


async def test_a_tick_opens_what_has_waited_long_enough() -> None:
    """Nothing before its time, and once."""
    bench = Bench()
    assert await bench.alerts(linked(judged=MILD)) == ["pending"]
    bench.now += timedelta(seconds=29)
    assert await bench.alerts() == []
    bench.now += timedelta(seconds=1)
    assert await bench.alerts() == ["open"]
    assert await bench.alerts() == []


async def test_after_a_kill_and_a_restart_timers_go_off_once_and_none_is_forgotten() -> None:
    """A hundred alerts, five hours of silence: each opens and is repeated once, not as a storm."""
    bench = Bench()
    for number in range(100):
        one = linked(number, judged=MILD)
        await bench.take(msg_of(one, f"x:{number}"))
    bench.start()
    bench.now += timedelta(hours=5)
    told = await bench.take()
    by_state = [(a.state, a.repeat) for a in told]
    assert by_state.count(("open", 0)) == 100
    assert by_state.count(("open", 1)) == 100
    assert len(told) == 200
    bench.start()
    assert await bench.take() == []
    bench.now += timedelta(hours=4)
    assert len(await bench.take()) == 100


def msg_of(record: Linked, subject: str) -> Linked:
    return msgspec.structs.replace(record, subject=subject)


async def test_a_tick_that_was_not_written_comes_again_as_the_same_notice() -> None:
    """kill -9 between the outputs and the state: same notice id, same version."""
    bench = Bench()
    await bench.take(linked(judged=MILD))
    before = dict(bench.table)
    bench.now += timedelta(minutes=1)
    (first,) = await bench.take()
    bench.table = before
    bench.start()
    bench.now += timedelta(seconds=7)
    (second,) = await bench.take()
    assert (first.notice_id, first.version) == (second.notice_id, second.version)


async def test_a_worker_fires_only_what_is_in_its_partitions() -> None:
    """What moved to another worker is that worker's."""
    bench = Bench()
    await bench.take(linked(judged=MILD))
    bench.start(owned={1, 2})
    bench.now += timedelta(hours=1)
    assert await bench.take() == []
    bench.start(owned={0})
    assert len(await bench.take()) == 1


async def test_a_replay_has_a_time_of_its_own_that_outlives_a_restart() -> None:
    """Messages of years ago: timers go by their time, before and after a restart."""
    bench = Bench(now=NOW + timedelta(days=3000))
    assert await bench.alerts(linked(judged=MILD)) == ["pending"]
    assert await bench.alerts() == []
    bench.start()
    bench.now += timedelta(seconds=29)
    assert await bench.alerts() == []
    bench.now += timedelta(seconds=1)
    assert await bench.alerts() == ["open"]
    later = NOW + timedelta(hours=9)
    assert await bench.alerts(msg_of(linked(2, judged=MILD, at=later), "x:bob")) == ["pending"]
    assert await bench.alerts() == ["open"]


async def test_the_clock_of_a_live_installation_is_the_wall_clock() -> None:
    """A message that is under a minute old does not hold the timers back."""
    bench = Bench(now=NOW + timedelta(seconds=20))
    await bench.take(linked(judged=MILD))
    assert bench.clock.now() == bench.now


async def test_the_brands_answer_finds_the_customers_thread_in_either_order() -> None:
    """Escalate says where a message belongs; the answer waits for that, or that for the answer."""
    bench = Bench()
    said = await bench.take(linked(1, judged=MILD))
    (place,) = [out for out in said if isinstance(out, ThreadOf)]
    assert (place.mention_id, place.subject) == ("x:1", "x:ann")
    (reply,) = await bench.take(linked(2, judged=MILD, from_brand=True, parent="x:1"))
    for order in ((place, reply), (reply, place)):
        found = await through_threads(*order)
        assert [type(out) for out in found] == [Reply]
        assert (found[0].subject, found[0].mention_id) == ("x:ann", "x:2")
    answered = await bench.take(found[0])
    assert [a.state for a in answered if isinstance(a, Alert)] == ["acknowledged"]
    assert [p.mention_id for p in answered if isinstance(p, ThreadOf)] == ["x:2"]
    assert await bench.alerts(linked(3, judged=thankful(), text="thanks", parent="x:2")) == [
        "resolved"
    ]


async def through_threads(*records: Any, table: dict[bytes, bytes] | None = None) -> list[Any]:
    places = Ledger({} if table is None else table, topic=STATE_THREADS, kind=Place)
    hop = threads(Threads(places, days=30, clock=lambda: NOW), mask=mask_bytes)
    batch = [Incoming("t", 0, n, b"k", encode(r), NOW) for n, r in enumerate(records)]
    (outcome,) = await run(hop, batch)
    return read(outcome)


async def test_a_deletion_finds_its_thread_even_if_it_comes_first() -> None:
    """A delete that arrives before its create wins."""
    place = ThreadOf(mention_id="x:1", subject="x:ann", at=NOW)
    forget = Forget(mention_id="x:1", reason="deleted", requested_at=NOW)
    for order in ((place, forget), (forget, place)):
        (gone,) = await through_threads(*order)
        assert (gone.subject, gone.mention_id) == ("x:ann", "x:1")
    bench = Bench()
    await bench.take(linked(1, judged=WORST, text="secret"))
    alert, told = await bench.take(gone)
    assert (told.subject, told.mention_id) == (f"group:{alert.group_key}", "x:1")
    assert (alert.state, alert.snippet, alert.notifies) == ("open", None, False)


async def test_places_of_messages_are_dropped_after_a_month() -> None:
    """The state is bounded: a tombstone in the changelog, nothing in the table."""
    table: dict[bytes, bytes] = {}
    now = NOW
    places = Ledger(table, topic=STATE_THREADS, kind=Place)
    hop = threads(Threads(places, days=30, clock=lambda: now), mask=mask_bytes)
    record = ThreadOf(mention_id="x:1", subject="x:ann", at=NOW)
    await run(hop, [Incoming("t", 2, 0, b"x:1", encode(record), NOW)])
    assert table
    now += timedelta(days=31)
    (outcome,) = await run(hop, [])
    assert outcome.state == [Outgoing(STATE_THREADS.name, b"x:1", None, partition=2)]
    assert table == {}


async def test_invalid_actions_are_dead_letters_with_a_reason_and_hold_nothing_up() -> None:
    """The state is as before, and what was due at that time is told all the same."""
    bench = Bench()
    (alert, *_) = await bench.take(linked(judged=MILD))
    bench.now += timedelta(minutes=1)
    found = await bench.take(
        action("assign", alert),
        action("resolve", alert, alert_id="nobody's"),
        b'{"type": "action"}',
        action("acknowledge", alert),
    )
    letters = [out for out in found if isinstance(out, DeadLetter)]
    assert [letter.field for letter in letters] == ["$", "$.assignee", "$.alert_id"]
    assert "to whom" in letters[1].error
    assert [a.state for a in found if isinstance(a, Alert)] == ["open", "acknowledged"]


async def test_a_person_s_verdict_is_counted_once() -> None:
    """`wrong` is wrong, a resolve is right; the same record again counts nothing."""
    bench = Bench()
    (alert, *_) = await bench.take(linked(judged=MILD))
    origin = Origin("raw.0", 640)
    await bench.take(action("wrong", alert), origin=origin)
    await bench.take(action("wrong", alert), origin=origin)
    later = NOW + timedelta(hours=1)
    (again, *_) = await bench.take(linked(2, judged=WORST, at=later))
    await bench.take(action("resolve", again))
    assert bench.verdicts == ["wrong", "right"]


async def test_every_opened_alert_is_evidence_of_its_group() -> None:
    """Keyed by the group, which is a subject of its own in the same hop."""
    bench = Bench()
    hits = []
    for number in range(5):
        found = await bench.take(msg_of(linked(number, judged=MILD), f"x:{number}"))
        hits += [out for out in found if isinstance(out, GroupHit)]
    assert {h.subject for h in hits} == {f"group:{hits[0].group_key}"}
    raised = [a for a in await bench.take(*hits) if isinstance(a, Alert)]
    assert [(a.kind, a.state, len(a.evidence)) for a in raised] == [("andon", "pending", 5)]
    (closed,) = await bench.take(action("resolve", raised[0]))
    assert closed.state == "resolved"


async def test_messages_and_actions_follow_an_author_who_was_linked_by_hand() -> None:
    """What still comes for the author goes to the customer, until the link is taken back."""
    bench = Bench()
    (alert, *_) = await bench.take(linked(judged=MILD))
    moved, link = await bench.take(action("link", alert, customer_id="c1"))
    assert isinstance(link, ManualLink) and link.author == "x:ann"
    assert isinstance(moved, Moved)
    (there,) = await bench.take(moved)
    assert (there.subject, there.link.basis) == ("customer:c1", "manual")
    (onward,) = await bench.take(linked(2, judged=MILD))
    assert isinstance(onward, Linked) and onward.subject == "customer:c1"
    assert await bench.alerts(onward) == ["pending"]
    (sent_on,) = await run_actions(bench, action("acknowledge", alert))
    assert sent_on.subject == "customer:c1"
    assert await bench.alerts(sent_on) == ["acknowledged"]
    back = await bench.take(
        action("unlink", there, customer_id="c1"),
    )
    (home,) = await bench.take(next(out for out in back if isinstance(out, Moved)))
    assert (home.subject, home.link) == ("x:ann", Link())
    assert home.evidence == ("x:1", "x:2")


async def run_actions(bench: Bench, record: Action) -> list[Action]:
    bench.offset += 1
    incoming = Incoming("t", 0, bench.offset, b"k", encode(record), bench.now)
    (outcome,) = await run(bench.hop, [incoming])
    return [decode(out.value, Action) for out in outcome.outputs]


async def test_a_failure_half_way_keeps_what_came_before_in_the_batch() -> None:
    """The record that fails is a dead letter; the one before it is in the state."""
    table: dict[bytes, bytes] = {}
    subjects = Ledger(table, topic=STATE_SUBJECTS, kind=Subject)
    first = Incoming("t", 0, 1, b"k", None, NOW)
    subject = subjects.open("k", first)
    assert subject is not None
    subject.escalation.moved_to = "before"
    again = subjects.open("k", first._replace(offset=2))
    assert again is not None
    again.escalation.moved_to = "half-way"
    subjects.drop("k")
    subjects.written()
    assert subjects.peek("k").escalation.moved_to == "before"


def test_one_old_letter_does_not_turn_a_live_clock_back_but_a_backlog_does() -> None:
    """The least late of the last records counts; records of partitions that lag jitter nothing."""
    clock = StreamClock(lambda: NOW)
    clock.hear(NOW)
    clock.hear(NOW - timedelta(days=1))
    assert clock.now() == NOW
    for second in range(300):
        clock.hear(NOW - timedelta(hours=1) + timedelta(seconds=second))
    assert clock.now() == NOW - timedelta(hours=1) + timedelta(seconds=299)


async def test_a_changed_directory_relinks_open_alerts_and_parts_them_again() -> None:
    """The alert says who the customer is, and its threads follow, there and back; nobody is told
    anew."""
    directory = Directory(band=band_of)
    bench = Bench()
    bench.follow(directory)
    (_, opened, *_) = await bench.take(linked(judged=WORST))
    assert opened.link.customer_id is None
    ann = Customer(customer_id="c1", since=NOW, handles=("x:ann",))
    for identity in identities_of(ann):
        directory.put(identity.identifier, "c1", identity)
    (moved,) = await bench.take()
    assert (moved.subject, moved.back, moved.link.tier) == ("customer:c1", False, "T2")
    (alert,) = await bench.take(moved)
    assert (alert.alert_id, alert.subject) == (opened.alert_id, "customer:c1")
    assert (alert.link.customer_id, alert.link.tier) == ("c1", "T2")
    assert alert.notice_id == opened.notice_id
    bench.now += timedelta(minutes=1)
    assert await bench.take() == []

    for identity in identities_of(ann):
        directory.put(identity.identifier, "c1", None)
    bench.now += timedelta(minutes=1)
    (back,) = await bench.take()
    assert (back.subject, back.back) == ("x:ann", True)
    (home,) = await bench.take(back)
    assert (home.subject, home.link) == (opened.subject, opened.link)
    assert bench.work.subjects.peek("customer:c1").escalation.guests == {}


async def test_our_answer_to_a_question_how_counts_as_education_effort() -> None:
    """Also where the question is no complaint, and so in no thread of an alert."""
    bench = Bench()
    standing = Standing(segment="promo", since=NOW - timedelta(days=10))
    link = Link(customer_id="c", tier="T0", probability=1.0)
    how = labels(negative=0.1, complaint=0.0, severity=0, howto=0.9)
    said = await bench.take(linked(judged=how, link=link, standing=standing))
    (placed,) = [record for record in said if isinstance(record, ThreadOf)]
    assert placed.mention_id == "x:1"
    reply = Reply(
        mention_id="x:2", answers="x:1", author="desk", at=NOW, observed_at=NOW, subject="x:ann"
    )
    found = await bench.take(reply)
    assert [e.dimension for e in found] == ["agent_messages", "education_effort"]
