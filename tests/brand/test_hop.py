"""The brand's hop: figures to operations, and incidents to the fit figures."""

from collections.abc import AsyncIterator
from datetime import timedelta

from prometheus_client import CollectorRegistry

from agents.brand import brand
from agents.flow import Incoming, Ledger, Origin, Outgoing
from listener.brand import BrandState
from listener.codec import decode, encode
from listener.metrics import Metrics
from listener.policy import parse_policy
from listener.records import BrandEvidence, BrandRisk, IncidentWindow
from listener.sources.masking import mask_bytes
from listener.topics import BRAND_RISK, DEAD_LETTERS, FIT_EVIDENCE, STATE_BRANDS
from tests.brand.streams import POLICY, burst, days_of_calm, evidence
from tests.worlds import NOW

END = 3 * 1440


async def outputs(stream: list[BrandEvidence], metrics: Metrics) -> list[Outgoing]:
    brands = Ledger({}, topic=STATE_BRANDS, kind=BrandState, snapshots=False)
    hop = brand(brands, policy=POLICY, mask=mask_bytes, watch=metrics.brand)

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
        hop = brand(brands, policy=POLICY, mask=mask_bytes, watch=watch)
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
