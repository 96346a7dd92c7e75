"""One destination that is away delays no other, and each hears of every alert's end."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.deliver import Deliver
from agents.flow import Held, Incoming, Ledger, Outcome
from agents.notices import Delivered
from agents.outlet import Outlet
from listener.codec import decode, encode
from listener.errors import DeliveryDelayed, DeliveryRefused
from listener.receivers import DeliveryPolicy
from listener.records import Alert, DeadLetter, Notice
from listener.sources.masking import mask_bytes
from listener.topics import ALERTS, NOTICES, STATE_DELIVERIES
from tests.alerts import alert
from tests.worlds import NOW

POLICY = DeliveryPolicy()
EXAMPLES = int(os.environ.get("LISTENER_DELIVERY_EXAMPLES", "40"))
Batch = list[Incoming]


class Fake:
    """A destination that answers as it is told, one answer an attempt; then it takes all."""

    def __init__(self, name: str = "fake", *answers: Exception | None) -> None:
        self.name = name
        self.answers = list(answers)
        self.away: Exception | None = None
        self.keys: list[str] = []
        self.alerts: list[Alert] = []
        self.refs: list[str | None] = []
        self.attempts = 0

    async def send(self, alert: Alert, *, key: str, ref: str | None = None) -> str | None:
        self.attempts += 1
        answer = self.away or (self.answers.pop(0) if self.answers else None)
        await asyncio.sleep(0)
        if answer is not None:
            raise answer
        self.keys.append(key)
        self.alerts.append(alert)
        self.refs.append(ref)
        return f"{self.name}-{alert.alert_id}"

    async def close(self) -> None:
        """Nothing to close."""


class Seen:
    """Counts what delivery reports."""

    def __init__(self) -> None:
        self.results: list[tuple[str, str]] = []
        self.open: dict[str, bool] = {}
        self.waiting: dict[str, int] = {}

    def delivered(self, sink: str, result: str) -> None:
        self.results.append((sink, result))

    def sink_state(self, sink: str, *, open: bool, waiting: int) -> None:
        self.open[sink], self.waiting[sink] = open, waiting


class World:
    """A hop, its state and a clock that a test moves."""

    def __init__(self, *sinks: Any, policy: DeliveryPolicy = POLICY) -> None:
        self.sinks = sinks
        self.policy = policy
        self.durable: dict[bytes, bytes] = {}
        self.now = NOW
        self.seen = Seen()
        self.letters: list[DeadLetter] = []
        self.offset = 0
        self.owned = {0}

    def hop(self) -> Deliver:
        """As after a start: nothing but what is durable is known."""
        outlets = [Outlet(s, self.policy, draw=lambda: 0.0, watch=self.seen) for s in self.sinks]
        return Deliver(
            outlets,
            Ledger(dict(self.durable), topic=STATE_DELIVERIES, kind=Delivered),
            policy=self.policy,
            mask=mask_bytes,
            clock=lambda: self.now,
            owned=lambda: self.owned,
        )

    async def run(self, *steps: "Batch | float", hop: Deliver | None = None) -> None:
        """A step is a batch, or seconds that pass and then a tick."""

        async def batches() -> AsyncIterator[Batch]:
            for step in steps:
                if isinstance(step, list):
                    yield step
                else:
                    self.now += timedelta(seconds=step)
                    yield []
                await turns(12)

        async for outcome in (hop or self.hop())(batches()):
            self.keep(outcome)

    def keep(self, outcome: Outcome) -> None:
        for record in outcome.outputs:
            assert record.value is not None
            self.letters.append(decode(record.value, DeadLetter))
        for record in outcome.state:
            assert record.key is not None and record.value is not None
            self.durable[record.key] = record.value

    def batch(self, *alerts: Alert) -> Batch:
        return [self.coming(ALERTS.name, a) for a in alerts]

    def again(self, letter: DeadLetter) -> Batch:
        """As `listener dead-letters replay` sends it."""
        assert letter.topic == NOTICES.name
        return [self.coming(letter.topic, decode(letter.raw, Notice))]

    def coming(self, topic: str, record: Any) -> Incoming:
        self.offset += 1
        return Incoming(topic, 0, self.offset, b"k", encode(record), self.now)


async def turns(count: int) -> None:
    """Lets what is under way go on, without a wait."""
    for _ in range(count):
        await asyncio.sleep(0)


AWAY = DeliveryDelayed("away")


async def test_one_notice_for_each_state_of_an_alert() -> None:
    """More evidence is no news; another state or priority is. What is old is never told."""
    sink = Fake()
    await World(sink).run(
        (world := World(sink)).batch(alert(version=1)),
        world.batch(alert(version=2, evidence=("x:1", "x:2"))),
        world.batch(alert(version=3, priority="P1")),
        world.batch(alert(version=1)),
        world.batch(alert(version=4, state="resolved", priority="P1")),
        0,
    )
    assert sink.keys == ["a1:1:open:P2:0:0", "a1:1:open:P1:0:0", "a1:1:resolved:P1:0:0"]


async def test_a_destination_that_is_away_delays_no_other() -> None:
    """The batch is taken and acknowledged; only the absent one waits, and then gets all."""
    away, here = Fake("away"), Fake("here")
    away.away = AWAY
    world = World(away, here)
    await world.run(world.batch(alert("a1"), alert("a2"), alert("a3")), 0, 0, 0)
    assert [a.alert_id for a in here.alerts] == ["a1", "a2", "a3"]
    assert away.keys == [] and world.letters == []
    away.away = None
    await world.run(60, 60, 60)
    assert sorted(away.keys) == sorted(here.keys)
    assert len(here.keys) == 3


async def test_who_was_away_hears_the_newest_state_only() -> None:
    """And the text that goes out is the newest too: it may have been taken back."""
    sink = Fake()
    sink.away = AWAY
    world = World(sink)
    await world.run(
        world.batch(alert(version=1)),
        world.batch(alert(version=2, state="acknowledged")),
        world.batch(alert(version=3, state="acknowledged", snippet=None)),
    )
    sink.away = None
    await world.run(120, 0)
    assert sink.keys == ["a1:1:acknowledged:P2:0:0"]
    assert sink.alerts[0].snippet is None


async def test_a_refused_notice_is_a_dead_letter_and_the_next_goes_on() -> None:
    """It names the receiver, and its raw bytes are whole."""
    sink = Fake("fake", DeliveryRefused("HTTP 400"))
    world = World(sink)
    await world.run(world.batch(alert("a1")), world.batch(alert("a2")), 0)
    assert sink.keys == ["a2:1:open:P2:0:0"]
    (letter,) = world.letters
    assert (letter.stage, letter.error) == ("deliver", "fake: HTTP 400")
    assert decode(letter.raw, Notice).alert == alert("a1")


async def test_a_fault_in_a_sink_stops_nothing() -> None:
    """A bug costs a dead letter, not the lane."""
    sink = Fake("fake", ZeroDivisionError("a1's text"))
    world = World(sink)
    await world.run(world.batch(alert("a1")), world.batch(alert("a2")), 0)
    assert sink.keys == ["a2:1:open:P2:0:0"]
    assert [letter.error for letter in world.letters] == ["fake: ZeroDivisionError in the sink"]


async def test_a_dead_notice_can_be_sent_again_to_its_receiver_alone() -> None:
    """The cause is mended: it goes out once more, and only where it was missing."""
    sink, other = Fake("fake", DeliveryRefused("HTTP 401")), Fake("other")
    world = World(sink, other)
    await world.run(world.batch(alert()), 0)
    await world.run(world.again(world.letters[0]), 0)
    await world.run(world.again(world.letters[0]), 0)
    assert sink.keys == other.keys == ["a1:1:open:P2:0:0"]


async def test_a_dead_notice_is_not_sent_again_over_newer_news() -> None:
    """Order a alert is never reversed."""
    sink = Fake("fake", DeliveryRefused("HTTP 401"))
    world = World(sink)
    await world.run(world.batch(alert()), world.batch(alert(version=2, state="resolved")), 0)
    await world.run(world.again(world.letters[0]), 0)
    assert sink.keys == ["a1:1:resolved:P2:0:0"]


async def test_what_cannot_be_delivered_by_the_deadline_is_a_dead_letter() -> None:
    """Replaying it, once the destination is back, delivers it."""
    sink = Fake()
    sink.away = AWAY
    world = World(sink)
    await world.run(world.batch(alert("a1"), alert("a2")), *([60] * 70))
    assert {decode(x.raw, Notice).alert.alert_id for x in world.letters} == {"a1", "a2"}
    assert all("60 min" in letter.error for letter in world.letters)
    sink.away = None
    await world.run(600, *(world.again(letter) for letter in world.letters), 0)
    assert sorted(a.alert_id for a in sink.alerts) == ["a1", "a2"]


async def test_a_worker_that_was_away_itself_tries_before_it_gives_up() -> None:
    """The deadline is the destination's."""
    sink = Fake()
    sink.away = AWAY
    world = World(sink)
    await world.run(world.batch(alert()))
    sink.away = None
    await world.run(86_400.0, 0)
    assert sink.keys == ["a1:1:open:P2:0:0"] and world.letters == []


async def test_the_wait_that_a_destination_asks_for_is_kept() -> None:
    """Retry-After holds every notice to it, not just the one that was answered."""
    sink = Fake("fake", DeliveryDelayed("HTTP 429", retry_after=30))
    world = World(sink)
    await world.run(world.batch(alert("a1"), alert("a2")), 10, 10, 9)
    assert sink.attempts == 1
    await world.run(1, 0)
    assert len(sink.keys) == 2


async def test_a_destination_that_keeps_failing_is_left_alone_and_probed() -> None:
    """The breaker opens after five failures; then one attempt for each pause, ever longer."""
    sink = Fake()
    sink.away = AWAY
    world = World(sink)
    hop = world.hop()
    many = [alert(f"a{n}") for n in range(50)]
    await world.run(world.batch(*many), *([1] * 60), hop=hop)
    assert world.seen.open == {"fake": True}
    assert world.seen.waiting == {"fake": 50}
    # Five to open it, then probes after 5, 10, 20 and 40 s.
    assert 8 <= sink.attempts <= 10


async def test_one_poisonous_notice_holds_nobody_up() -> None:
    """The others go on while it waits for its next attempt."""

    class Picky(Fake):
        async def send(self, alert: Alert, *, key: str, ref: str | None = None) -> str | None:
            self.away = AWAY if alert.alert_id == "a1" else None
            return await super().send(alert, key=key, ref=ref)

    sink = Picky()
    world = World(sink)
    await world.run(world.batch(*(alert(f"a{n}") for n in range(1, 9))), 0, 0)
    assert [a.alert_id for a in sink.alerts] == [f"a{n}" for n in range(2, 9)]


async def test_the_most_pressing_goes_first() -> None:
    """After an outage P1 does not stand in line."""
    sink = Fake()
    sink.away = AWAY
    world = World(sink)
    await world.run(
        world.batch(alert("a1", priority="P3"), alert("a2"), alert("a3", priority="P1"))
    )
    sink.away = None
    await world.run(60, 0)
    assert [a.alert_id for a in sink.alerts] == ["a3", "a2", "a1"]


async def test_of_too_many_the_least_pressing_are_dead_letters() -> None:
    """Memory and state are bounded, and a P1 is kept."""
    sink = Fake()
    sink.away = AWAY
    world = World(sink, policy=DeliveryPolicy(waiting=2))
    alerts = [alert("a1", priority="P1"), *(alert(f"a{n}", priority="P3") for n in range(2, 6))]
    await world.run(world.batch(*alerts), 0)
    assert len(world.letters) == 3
    assert all("more than 2" in letter.error for letter in world.letters)
    sink.away = None
    await world.run(60, 60, 0)
    assert len(sink.alerts) == 2 and sink.alerts[0].alert_id == "a1"


async def test_only_named_receivers_are_told_and_all_of_them_of_the_end() -> None:
    """A step of the route adds its receivers; who was told hears of the end once."""
    team, boss, rest = Fake("team"), Fake("boss"), Fake("rest")
    world = World(team, boss, rest)
    await world.run(
        world.batch(alert(version=1, receivers=("team",))),
        world.batch(alert(version=2, receivers=("boss",), step=1)),
        world.batch(alert(version=3, state="acknowledged", receivers=("boss",), step=1)),
        world.batch(alert(version=4, state="resolved", step=1)),
        world.batch(alert(version=5, state="resolved", step=1, evidence=("x:1", "x:2"))),
        0,
    )
    assert [a.state for a in team.alerts] == ["open", "acknowledged", "resolved"]
    assert [a.state for a in boss.alerts] == ["open", "acknowledged", "resolved"]
    assert rest.alerts == []


async def test_nobody_is_told_of_what_is_not_news() -> None:
    """Pending, suppressed and expired; what was due and is suppressed is due no longer."""
    sink = Fake()
    sink.away = AWAY
    world = World(sink)
    await world.run(
        world.batch(alert("a1", state="pending"), alert("a2", state="expired"), alert("a3")),
        world.batch(alert("a3", version=2, state="suppressed")),
    )
    sink.away = None
    await world.run(60, 60)
    assert sink.keys == []


async def test_the_destination_gets_its_own_name_of_the_message_back() -> None:
    """Over a restart too, so that it is updated in place."""
    sink = Fake()
    world = World(sink)
    await world.run(world.batch(alert()), 0)
    await world.run(world.batch(alert(version=2, state="resolved")), 0)
    assert sink.refs == [None, "fake-a1"]


async def test_what_belongs_to_another_worker_is_not_sent() -> None:
    """The table may still hold what a partition that has moved left there."""
    sink = Fake()
    sink.away = AWAY
    world = World(sink)
    await world.run(world.batch(alert()))
    sink.away, world.owned = None, {1}
    await world.run(60, 0)
    assert sink.keys == []
    world.owned = {0}
    await world.run(60, 0)
    assert len(sink.keys) == 1


async def test_a_receiver_that_the_policy_no_longer_has_gives_dead_letters() -> None:
    """Nothing waits for ever."""
    sink = Fake("old")
    sink.away = AWAY
    world = World(sink)
    await world.run(world.batch(alert()))
    world.sinks = (Fake("new"),)
    await world.run(0)
    assert [letter.error for letter in world.letters] == ["old: no such receiver in the policy"]


async def test_a_stop_waits_for_the_attempt_under_way() -> None:
    """So that a restart without a kill repeats nothing."""
    gate = asyncio.Event()

    class Slow(Fake):
        async def send(self, alert: Alert, *, key: str, ref: str | None = None) -> str | None:
            await gate.wait()
            return await super().send(alert, key=key, ref=ref)

    sink = Slow()
    world = World(sink)
    hop = world.hop()
    running = asyncio.ensure_future(world.run(world.batch(alert("a1"), alert("a2")), 0, hop=hop))
    await asyncio.sleep(0.02)
    draining = asyncio.ensure_future(hop.drain(deadline=5.0))
    await asyncio.sleep(0.02)
    gate.set()
    await asyncio.gather(draining, running)
    assert len(sink.keys) == 1
    await world.run(0, 0)
    assert sorted(sink.keys) == ["a1:1:open:P2:0:0", "a2:1:open:P2:0:0"]


# --- any sequence of versions, failures and kills ---------------------------------------------


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a1", "a2", "a3"]),
        st.sampled_from(["more", "rise", "acknowledge", "resolve", "reopen", "silence", "speak"]),
    ),
    min_size=1,
    max_size=14,
)
ANSWERS = st.lists(st.sampled_from([None, None, "away", "refused", "slow"]), max_size=20)
FAULTS: dict[str, Callable[[], Exception]] = {
    "away": lambda: DeliveryDelayed("away"),
    "slow": lambda: DeliveryDelayed("slow", retry_after=20),
    "refused": lambda: DeliveryRefused("no"),
}


def changed(old: Alert, step: str) -> dict[str, Any] | None:
    """What a step makes of an alert, as escalation would have it; None: nothing."""
    stands = old.state in ("open", "reopened", "acknowledged")
    if step == "more":
        return {"evidence": (*old.evidence, "x:2")}
    if step == "rise" and stands and old.priority == "P2":
        return {"priority": "P1"}
    if step == "acknowledge" and old.state in ("open", "reopened"):
        return {"state": "acknowledged"}
    if step == "resolve" and old.state != "resolved":
        return {"state": "resolved"}
    if step == "reopen" and old.state == "resolved":
        return {"state": "reopened", "priority": "P2", "cycle": old.cycle + 1}
    if step == "silence" and stands:
        return {"state": "suppressed"}
    if step == "speak" and old.state == "suppressed":
        return {"state": "open"}
    return None


def history(steps: list[tuple[str, str]]) -> list[Alert]:
    """Every version of every alert, in the order in which they come."""
    newest: dict[str, Alert] = {}
    found: list[Alert] = []
    for alert_id, step in steps:
        old = newest.get(alert_id)
        if old is None:
            newest[alert_id] = alert(alert_id)
        elif (change := changed(old, step)) is not None:
            newest[alert_id] = msgspec.structs.replace(old, version=old.version + 1, **change)
        else:
            continue
        found.append(newest[alert_id])
    return found


class Play:
    """Runs a world over a history; a kill forgets all that is not durable or acknowledged."""

    def __init__(self, world: World, alerts: list[Alert], kills: Iterator[int]) -> None:
        self.world = world
        self.records = world.batch(*alerts)
        self.kills = kills
        self.acknowledged = 0

    async def to_the_end(self) -> None:
        for kill in self.kills:
            await self.until(kill)
        await self.until(None)

    async def until(self, kill: int | None) -> None:
        """Runs on from the first record that is not acknowledged, up to the kill-th outcome."""
        started = self.acknowledged
        taken: list[int] = []

        async def batches() -> AsyncIterator[Batch]:
            yield []
            for at in range(started, len(self.records), 2):
                part = self.records[at : min(at + 2, len(self.records))]
                taken.append(at + len(part))
                yield part
            for _ in range(12):
                self.world.now += timedelta(minutes=10)
                taken.append(-1)
                yield []
                await turns(12)

        outcomes = 0
        running = self.world.hop()(batches())
        ended = -1
        async for outcome in running:
            if outcomes == kill:
                # The last outcome is lost: its state, and perhaps its letters, were not written.
                if kill % 2:
                    self.world.keep(outcome._replace(state=[]))
                await running.aclose()  # type: ignore[attr-defined]  # it is a generator
                return
            outcomes += 1
            self.world.keep(outcome)
            if outcome.last:
                ended += 1
                if ended > 0 and taken[ended - 1] > 0:
                    self.acknowledged = taken[ended - 1]


def versions(alert_id: str, sink: Fake) -> list[int]:
    return [a.version for a in sink.alerts if a.alert_id == alert_id]


def untroubled(alerts: list[Alert]) -> dict[str, int]:
    """The last version that a receiver hears of each alert where nothing fails."""
    sink = Fake()
    world = World(sink)
    asyncio.run(world.run(*(step for a in alerts for step in (world.batch(a), 0.0)), 0.0, 0.0))
    return {a.alert_id: a.version for a in sink.alerts}


@settings(deadline=None, max_examples=EXAMPLES)
@given(STEPS, ANSWERS, ANSWERS, st.lists(st.integers(0, 12), max_size=3))
def test_whatever_fails_or_is_killed_every_end_is_told_in_order(
    steps: list[tuple[str, str]],
    one: list[str | None],
    two: list[str | None],
    kills: list[int],
) -> None:
    """For each receiver by itself: the final notice of every alert is delivered or in dead letters
    (unless the trouble that it ends was suppressed before they heard of it); the order of an alert
    is never reversed; no notice comes twice without a kill, and with kills one more for each."""
    alerts = history(steps)
    sinks = [
        Fake(name, *(FAULTS[a]() if a else None for a in answers))
        for name, answers in (("one", one), ("two", two))
    ]
    world = World(*sinks)
    asyncio.run(Play(world, alerts, iter(kills)).to_the_end())
    for sink in sinks:
        dead = [decode(x.raw, Notice).alert for x in world.letters if x.error[:3] == sink.name]
        for alert_id, final in untroubled(alerts).items():
            order = versions(alert_id, sink)
            assert order == sorted(order)
            last = max([*order, *(a.version for a in dead if a.alert_id == alert_id)], default=0)
            unheard = [a for a in alerts if a.alert_id == alert_id and a.version > last]
            assert last >= final or any(a.state == "suppressed" for a in unheard)
        assert len(sink.keys) - len(set(sink.keys)) <= len(kills)
    held = [decode(value, Held[Delivered]) for value in world.durable.values()]
    assert all(not h.state.due for h in held), "something is still due"
