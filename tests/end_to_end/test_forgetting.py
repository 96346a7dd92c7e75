"""An author is forgotten who was linked to a customer, through the flow on the embedded broker."""

import asyncio
import json
from pathlib import Path

from listener.codec import decode
from listener.feed import replay
from listener.projection import Projection
from listener.records import Alert, Customer, Linked
from listener.settings import Settings
from listener.sources.files import RawRecord
from listener.store import MentionFilter, Store
from listener.topics import STATE_SUBJECTS
from tests.brokers import Worker, broker
from tests.end_to_end.test_proof import NOW, alerts, message, put, read, until
from tests.ledger import wait_for, wait_for_directory

LEGAL = "Norvia charged me twice and refuses a refund, I will see you in court"
LATE = "Norvia, the refund never came and nobody answers. My lawyer will write to you"
CUSTOMER = Customer(customer_id="C1", since=NOW, handles=("bluesky:@zoe", "mastodon:@bob"))


async def read_model(settings: Settings, url: str, ids: list[str]) -> tuple[list[str], list[Alert]]:
    """Texts and alerts as the page would have them."""
    store = await Store.open(url)
    projection = Projection(settings, store, publish=lambda changes: None)
    running = asyncio.ensure_future(projection.run())
    async with asyncio.timeout(60):
        while not await store.ledger.offsets() or any(projection.lag().values()):
            await asyncio.sleep(0.3)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    page = await store.mentions.find(MentionFilter())
    kept = [await store.alerts.get(name) for name in ids]
    await store.close()
    return [decode(m, Linked).mention.text for m in page.items], [
        decode(a.record, Alert) for a in kept if a
    ]


def test_a_forgotten_author_is_gone_from_the_customers_threads(tmp_path: Path) -> None:
    """State, alerts and read model; what the customer wrote under another name stays."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("brands: [{name: Norvia, names: [Norvia]}]\n")
    with broker("embedded", policy=policy) as settings:
        worker = Worker(settings)
        worker.start()
        try:
            asyncio.run(put(settings, CUSTOMER))
            wait_for_directory(settings, customers=1)
            first = message(2, "bob", LATE, network="mastodon")
            for number, sent in enumerate((first, message(1, "zoe", LEGAL)), 1):
                asyncio.run(replay(settings, "raw.canonical", [sent], speed=None))
                wait_for(settings, inputs=number, seconds=60)
            evidence = {a.evidence for a in alerts(settings).values()}
            assert {i for ids in evidence for i in ids} == {"bluesky:1", "mastodon:2"}
            request = json.dumps({"type": "forget", "author": "bluesky:zoe"}).encode()
            asyncio.run(
                replay(settings, "raw.canonical", [RawRecord(b"z", request, NOW)], speed=None)
            )

            def gone() -> bool:
                return not any("bluesky:1" in a.evidence for a in alerts(settings).values())

            until(gone, "the author's message is still evidence")
        finally:
            assert worker.stop() == 0
        newest = {m.key: m.value for m in read(settings, STATE_SUBJECTS.name)}
        assert b"zoe" not in newest[b"customer:C1"]
        assert b"twice" not in b"".join(newest.values())
        assert b"bob" in newest[b"customer:C1"]
        url = f"sqlite:///{tmp_path}/model.db"
        texts, kept = asyncio.run(read_model(settings, url, list(alerts(settings))))
    assert texts == [LATE]
    assert LEGAL not in {a.snippet for a in kept}
    assert [a.snippet for a in kept if "mastodon:2" in a.evidence] == [LATE]
