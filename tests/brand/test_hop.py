"""The brand's hop: figures to operations, and incidents to the fit figures."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry

from agents.brand import Figures, Watch, brand
from agents.flow import Hop, Incoming, Ledger, Origin, Outgoing
from agents.silence import Silence
from listener.brand import BrandState
from listener.codec import decode, encode
from listener.metrics import Metrics
from listener.policy import parse_policy
from listener.ports import Clock
from listener.records import BrandEvidence, BrandRisk, IncidentWindow
from listener.sources.masking import mask_bytes
from listener.topics import BRAND_RISK, DEAD_LETTERS, FIT_EVIDENCE, STATE_BRANDS
from tests.brand.streams import POLICY, burst, days_of_calm, evidence
from tests.worlds import NOW

END = 3 * 1440


def hop_of(
    brands: Ledger[BrandState], *, watch: Watch = lambda risk: None, clock: Clock = lambda: NOW
) -> Hop:
    silence = Silence(brands, policy=POLICY, clock=clock)
    return brand(Figures(brands, policy=POLICY, watch=watch, silence=silence), mask=mask_bytes)


async def outputs(stream: list[BrandEvidence], metrics: Metrics) -> list[Outgoing]:
    brands = Ledger({}, topic=STATE_BRANDS, kind=BrandState, snapshots=False)
    hop = hop_of(brands, watch=metrics.brand)

    async def batches() -> AsyncIterator[list[Incoming]]:
        for n, part in enumerate(stream):
            yield [Incoming("t", 0, n, b"Acme", encode(part), NOW, Origin("raw.0/1", 64 * n))]

    return [out async for outcome in hop(batches()) for out in outcome.outputs]


async def test_incidents_are_told_to_operations_and_to_the_fit_figures() -> None:
    """The gauges while it is open; its times once when it opens and once when it closes."""
    metrics = Metrics(CollectorRegistry())
    stream = [*days_of_calm(), *burst(END)]
    found = await outputs(stream, metrics)
    labels = {"brand": "Acme", "channel": "public"}
    value = metrics.registry.get_sample_value
    assert value("listener_brand_incident_open", labels) == 1
    assert (value("listener_brand_burn_1h", labels) or 0) > 13.4
    assert (value("listener_brand_volume_ratio", labels) or 0) > 1.5
    low, share = (value(f"listener_brand_negative_share{x}", labels) or 0 for x in ("_low", ""))
    assert 0 < low < share
    assert value("listener_brand_risk", {"brand": "Acme", "channel": "all"})
    after = [evidence(5000 + n, END + 60 + n * 15) for n in range(20)]
    found = await outputs([*stream, *after], metrics)
    assert value("listener_brand_incident_open", labels) == 0
    told = [out for out in found if out.topic == FIT_EVIDENCE.name]
    windows = [decode(out.value, IncidentWindow) for out in told]
    assert [w.ended_at is None for w in windows] == [True, False]
    # The customers' events come by paths of the same name: these must not look like repeats.
    assert {out.origin.path for out in told if out.origin} == {"raw.0/1/0.incidents"}
    times = [decode(out.value, BrandRisk).at for out in found if out.topic == BRAND_RISK.name]
    assert times == sorted(set(times))


def test_rivals_are_the_competitors_where_brands_have_none_of_their_own() -> None:
    """An older policy goes on working; a bad time zone names its key and a remedy."""
    text = "brands: [{name: Acme}, {name: Other}]\nescalation: {rivals: [Other]}\n"
    assert parse_policy(text, where="p").brand_rules.competitors == {"Acme": ("Other",)}
    own = text + "brand: {competitors: {Acme: [Third]}}\n"
    assert parse_policy(own, where="p").brand_rules.competitors == {"Acme": ("Third",)}


async def test_a_record_that_fails_takes_nothing_of_its_batch_with_it() -> None:
    """The earlier ones count, and the later ones; the state is as if it had not come."""
    good = [evidence(n, n * 5) for n in range(6)]
    bad = evidence(99, 500)

    def watch(risk: BrandRisk) -> None:
        if risk.at > good[0].event_time + timedelta(minutes=100):
            raise ValueError("no such figure")

    states = []
    for records in ([*good[:3], bad, *good[3:]], good):
        table: dict[bytes, bytes] = {}
        brands = Ledger(table, topic=STATE_BRANDS, kind=BrandState, snapshots=False)
        hop = hop_of(brands, watch=watch)
        batch = [
            Incoming("t", 0, n, b"Acme", encode(part), NOW, Origin("raw.0/1", n))
            for n, part in enumerate(records)
        ]

        async def batches(batch: list[Incoming] = batch) -> AsyncIterator[list[Incoming]]:
            yield batch

        (outcome,) = [outcome async for outcome in hop(batches())]
        letters = [out for out in outcome.outputs if out.topic == DEAD_LETTERS.name]
        assert len(letters) == len(records) - len(good)
        states.append(brands.peek("Acme"))
    assert states[0].seen == 6
    assert encode(states[0]) == encode(states[1])


class Moved:
    """A clock that a test moves, minutes after NOW."""

    def __init__(self, minutes: float) -> None:
        self.minutes = minutes

    def __call__(self) -> datetime:
        return NOW + timedelta(minutes=self.minutes)


def numbered(stream: list[BrandEvidence], *, partition: int = 0) -> list[Incoming]:
    return [
        Incoming("t", partition, n, b"Acme", encode(part), part.event_time, Origin("raw.0/1", n))
        for n, part in enumerate(stream)
    ]


async def ticked(hop: Hop, clock: Moved, batches: list[list[Incoming] | float]) -> list[Outgoing]:
    """A number is a tick at that many minutes."""

    async def given() -> AsyncIterator[list[Incoming]]:
        for batch in batches:
            if isinstance(batch, float):
                clock.minutes = batch
            yield batch if isinstance(batch, list) else []

    return [out for outcome in [o async for o in hop(given())] for out in outcome.outputs]


def closed(found: list[Outgoing]) -> list[bool]:
    windows = [out for out in found if out.topic == FIT_EVIDENCE.name]
    return [decode(out.value, IncidentWindow).ended_at is not None for out in windows]


SPOKEN = [*days_of_calm(), *burst(END)]


async def test_a_silent_brands_incident_closes_by_time() -> None:
    """Its end goes to the page and to the fit figures, and not before the policy's silence."""
    clock, table = Moved(END + 60), dict[bytes, bytes]()
    brands = Ledger(table, topic=STATE_BRANDS, kind=BrandState, snapshots=False)
    hop = hop_of(brands, clock=clock)
    assert closed(await ticked(hop, clock, [numbered(SPOKEN), END + 63.0])) == [False]
    found = await ticked(hop, clock, [END + 240.0])
    assert closed(found) == [True]
    risks = [decode(out.value, BrandRisk) for out in found if out.topic == BRAND_RISK.name]
    assert risks[-1].incident is not None
    assert not risks[-1].incident.open
    assert await ticked(hop, clock, [END + 900.0]) == []


async def test_it_closes_after_a_kill_too_and_never_before_what_is_unread() -> None:
    """The next worker knows from the state that something is open; what came meanwhile is read
    before the silence is believed, and gives the figures that it gives without a kill."""
    table = dict[bytes, bytes]()
    more = [evidence(70_000 + n, END + 60 + n) for n in range(30)]
    first = Ledger(table, topic=STATE_BRANDS, kind=BrandState, snapshots=False)
    clock = Moved(END + 60)
    told = await ticked(hop_of(first, clock=clock), clock, [numbered(SPOKEN)])
    second = Ledger(table, topic=STATE_BRANDS, kind=BrandState, snapshots=False)
    clock = Moved(END + 240)
    hop = hop_of(second, clock=clock)
    rest = numbered([*SPOKEN, *more])[len(SPOKEN) :]
    # A backlog: it is far on by the clock, but event time has come to where the record is.
    told += await ticked(hop, clock, [END + 241.0, rest, END + 242.0, END + 248.0])
    assert second.peek("Acme").late == 0
    assert closed(told) == [False]
    told += await ticked(hop, clock, [END + 500.0])
    assert closed(told) == [False, True]
    straight = Ledger({}, topic=STATE_BRANDS, kind=BrandState, snapshots=False)
    clock = Moved(END + 90)
    once = await ticked(
        hop_of(straight, clock=clock), clock, [numbered([*SPOKEN, *more]), END + 400.0]
    )
    assert [out.value for out in told] == [out.value for out in once]
