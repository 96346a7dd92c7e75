"""An author who proves in a thread who they are, through the flow on the embedded broker."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from listener.codec import decode, encode
from listener.feed import producer, read_topic, replay
from listener.records import Alert, Customer, Linked, Mention
from listener.settings import Settings
from listener.sources.files import RawRecord
from listener.topics import ALERTS, CUSTOMERS, IDENTITIES, LINKED, MANUAL_LINKS, MENTIONS
from tests.brokers import Worker, broker
from tests.directories import KEY
from tests.ledger import wait_for, wait_for_directory

NOW = datetime.now(UTC)
"""Open alerts are asked about by the wall clock."""
POLICY = """
brands: [{name: Norvia, names: [Norvia], handles: ["@Norvia"]}]
identity:
  gates: {lemmy: [T0, T2]}
  proof: {patterns: ['\\bNV-\\d{4}\\b']}
"""
ANGRY = "Norvia charged me twice and refuses a refund, I will see you in court"
ADDRESS = "Ann.Lee@mail.example"
CUSTOMER = Customer(
    customer_id="C1", since=NOW, external_ids=("NV-1234",), emails=(ADDRESS,), value=10.0
)
UNWILLING = Customer(
    customer_id="C2", since=NOW, external_ids=("NV-5678",), consent={"bluesky": False}
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    policy = tmp_path_factory.mktemp("proof") / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    with broker("embedded", policy=policy) as found:
        yield found


def message(
    number: int, author: str, text: str, *, at: datetime = NOW, **changes: Any
) -> RawRecord:
    content = {
        "id": str(number), "network": "bluesky", "text": text,
        "author": {"id": author, "handle": author}, "created_at": at.isoformat(),
    } | changes  # fmt: skip
    return RawRecord(author.encode(), json.dumps(content).encode(), at)


def until(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


def read(settings: Settings, topic: str) -> list[Any]:
    return asyncio.run(read_topic(settings, topic))


async def put(settings: Settings, *customers: Customer) -> None:
    client = producer(settings)
    await client.start()
    for customer in customers:
        key = customer.customer_id.encode()
        await client.send_and_wait(CUSTOMERS.name, encode(customer), key)
    await client.stop()


def links(settings: Settings) -> dict[str, tuple[str | None, str, str]]:
    records = [decode(m.value, Linked) for m in read(settings, LINKED.name)]
    return {
        r.mention.mention_id.partition(":")[2]: (r.link.customer_id, r.link.tier, r.link.basis)
        for r in records
    }


def alerts(settings: Settings) -> dict[str, Alert]:
    return {m.key.decode(): decode(m.value, Alert) for m in read(settings, ALERTS.name)}


def known(settings: Settings, author: str) -> bool:
    """Whether the directory's topic has a record of this author."""
    newest = {m.key.decode(): m.value for m in read(settings, IDENTITIES.name)}
    return any(value and key.startswith(f"{author}|") for key, value in newest.items())


def test_a_proof_in_the_thread_links_its_author(settings: Settings) -> None:
    """In parts, from then on and with what was open before; not where a gate or the customer's own
    word is against it, and not for ever. No address reaches a topic."""
    worker = Worker(settings, LISTENER_IDENTITY_KEY=KEY)
    worker.start()
    sent = 0

    def say(*records: RawRecord) -> dict[str, tuple[str | None, str, str]]:
        nonlocal sent
        sent += len(records)
        asyncio.run(replay(settings, "raw.canonical", records, speed=None))
        wait_for(settings, inputs=sent, seconds=60)
        return links(settings)

    try:
        asyncio.run(put(settings, CUSTOMER, UNWILLING))
        wait_for_directory(settings, customers=2)
        found = say(message(1, "zed", ANGRY))
        assert found["1"] == (None, "none", "")
        found = say(
            message(2, "zed", f"@Norvia sure, {ADDRESS}", parent="900"),
            message(3, "una", "@Norvia it is NV-5678", channel="support"),
            message(4, "lou", f"{ADDRESS} NV-1234", channel="support", network="lemmy"),
            message(5, "top", f"@Norvia {ADDRESS} and NV-1234"),
        )
        assert {found[n] for n in "2345"} == {(None, "none", "")}
        say(message(6, "zed", "@Norvia and the number is NV-1234", parent="901"))
        until(lambda: known(settings, "bluesky:zed"), "the proof is not in the directory")
        time.sleep(1.5)
        found = say(
            message(7, "zed", "@Norvia still waiting"),
            message(8, "sam", f"it is {ADDRESS.upper()}", channel="support"),
        )
        assert found["7"] == found["8"] == ("C1", "T1", "proof")
        assert not any(known(settings, f"bluesky:{a}") for a in ("una", "top"))
        assert not known(settings, "lemmy:lou")

        def moved() -> bool:
            theirs = [a for a in alerts(settings).values() if "bluesky:1" in a.evidence]
            return [(a.subject, a.link.basis) for a in theirs] == [("customer:C1", "proof")]

        until(moved, "the open alert did not follow its author")
        found = say(message(9, "zed", "@Norvia again", at=NOW + timedelta(days=181)))
        assert found["9"] == (None, "none", "")
    finally:
        assert worker.stop() == 0
    assert read(settings, MANUAL_LINKS.name)
    text = b"".join(m.value for m in read(settings, MENTIONS.name) + read(settings, LINKED.name))
    assert b"mail.example" not in text.lower()
    masked = [decode(m.value, Mention).text for m in read(settings, MENTIONS.name)]
    assert "@Norvia sure, <email>" in masked
