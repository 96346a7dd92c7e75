"""Customers and people's own links → the directory's identities, without a broker."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.flow import Incoming, Outgoing
from listener.codec import decode, encode
from listener.identity import LinkPolicy, Sender, link, relinked
from listener.records import (
    Author,
    Customer,
    DeadLetter,
    Forget,
    Hints,
    Identity,
    Link,
    ManualLink,
    Proof,
)
from listener.topics import CUSTOMERS, DEAD_LETTERS, IDENTITIES, MANUAL_LINKS
from tests.directories import Indexing, take
from tests.worlds import NOW, mention

POLICY = LinkPolicy()
ANN = Customer(customer_id="c1", since=NOW, handles=("x:@ann",), emails=("Ann@Mail.example",))


class World(Indexing):
    """The hop with offsets that rise, and links as the classify hop would make them."""

    offset = 0

    def send(self, topic: str, key: str, value: Any) -> list[Outgoing]:
        self.offset += 1
        raw = value if value is None or isinstance(value, bytes) else encode(value)
        came = Incoming(topic, 0, self.offset, key.encode(), raw, NOW)

        async def batches() -> AsyncIterator[list[Incoming]]:
            yield [came]

        async def outputs() -> list[Outgoing]:
            return [out async for outcome in self.hop(batches()) for out in outcome.outputs]

        sent = asyncio.run(outputs())
        take(self.directory, sent)
        for out in sent:
            if out.topic == MANUAL_LINKS.name:
                assert out.key is not None
                self.send(out.topic, out.key.decode(), out.value)
        return sent

    def put(self, customer: Customer) -> list[Outgoing]:
        return self.send(CUSTOMERS.name, customer.customer_id, customer)

    def say(self, author: str, customer: str, *, linked: bool) -> list[Outgoing]:
        record = ManualLink(
            author=author, customer_id=customer, linked=linked, actor="jo", at=NOW,
            action_id=f"a{self.offset}",
        )  # fmt: skip
        return self.send(MANUAL_LINKS.name, author, record)

    def link(self, handle: str = "nobody", *, author: str = "9", **changes: Any) -> Link:
        sent = mention(author=Author(id=author, handle=handle), **changes)
        return link(sent, self.directory.find, POLICY)[0]


def identities(sent: list[Outgoing]) -> list[str]:
    return [decode(o.value, Identity).identifier for o in sent if o.topic == IDENTITIES.name]


def test_an_unchanged_customer_publishes_nothing() -> None:
    """A nightly import of everything costs the workers nothing; a new value is news."""
    world = World()
    assert len(identities(world.put(ANN))) == 3
    assert world.put(ANN) == []
    richer = Customer(customer_id="c1", since=NOW, handles=("x:@ann",), value=5.0)
    sent = world.put(richer)
    assert [out.value is None for out in sent] == [True, False, False]


def test_plain_and_hashed_addresses_meet() -> None:
    """Another system may write either; a message's hint may come in another spelling."""
    world = World()
    world.put(ANN)
    digest = world.contacts.email("ann@mail.EXAMPLE")
    assert world.link(hints=Hints(email_hash=digest)).customer_id == "c1"
    hashed = Customer(customer_id="c1", since=NOW, email_hashes=(str(digest),))
    assert world.link(hints=Hints(email_hash=digest)).customer_id == "c1"
    world.put(hashed)
    assert world.link(hints=Hints(email_hash=digest)).customer_id == "c1"


def test_no_plain_address_or_number_reaches_a_topic_of_ours() -> None:
    """Only hashes are published, whoever wrote the record."""
    world = World()
    sent = world.put(
        Customer(customer_id="c1", since=NOW, emails=("a@b.example",), phones=("0171 2345678",))
    )
    text = b"".join(out.value or b"" for out in sent)
    assert b"b.example" not in text
    assert b"2345678" not in text


def test_without_a_key_plain_addresses_are_left_out() -> None:
    """The rest of the record counts; hashes that another system made are used as they are."""
    world = World(key=None)
    sent = world.put(
        Customer(customer_id="c1", since=NOW, emails=("a@b.example",), email_hashes=("AB",))
    )
    assert identities(sent) == ["external:c1", "email:ab"]


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"customer_id": "c1"}, "$"),
        ({"customer_id": "c1", "since": "2026-01-01T00:00:00"}, "$.since"),
        ({"customer_id": "c1", "since": NOW, "emails": ["a@b.example", "no"]}, "$.emails[1]"),
        ({"customer_id": "c1", "since": NOW, "phones": ["1"]}, "$.phones[0]"),
        ({"customer_id": "c2", "since": NOW}, "$.customer_id"),
    ],
)
def test_a_bad_record_is_a_dead_letter_with_its_field(record: dict[str, Any], field: str) -> None:
    """What the hop knew of that customer stays."""
    world = World()
    world.put(ANN)
    (letter,) = world.send(CUSTOMERS.name, "c1", encode(record))
    assert letter.topic == DEAD_LETTERS.name
    found: DeadLetter = decode(letter.value, DeadLetter)
    assert (found.stage, found.field) == ("index", field)
    assert b"a@b.example" not in found.raw
    assert world.link("ann").customer_id == "c1"


def test_an_erased_customer_is_gone_from_the_directory() -> None:
    """Every identity, and what people linked or parted by hand."""
    world = World()
    world.put(ANN)
    world.say("x:9", "c1", linked=True)
    world.say("x:8", "c1", linked=False)
    assert len(world.directory) == 5
    world.send(CUSTOMERS.name, "c1", None)
    assert len(world.directory) == 0
    assert world.link("ann").tier == "none"
    world.put(ANN)
    assert world.link().tier == "none"


def test_a_person_links_an_author() -> None:
    """T0, whatever the rules say, and it follows what the customer's record says later."""
    world = World()
    world.put(ANN)
    world.put(Customer(customer_id="c2", since=NOW))
    world.say("x:9", "c2", linked=True)
    link = world.link("ann")
    assert (link.customer_id, link.tier, link.basis) == ("c2", "T0", "manual")
    world.put(Customer(customer_id="c2", since=NOW, consent={"x": False}))
    assert world.link("ann").customer_id == "c1"


def test_a_link_to_a_customer_whom_nobody_knows_waits() -> None:
    """The two records may come in any order."""
    world = World()
    world.say("x:9", "c1", linked=True)
    assert world.link().tier == "none"
    world.put(ANN)
    assert world.link().customer_id == "c1"


def test_unlinking_parts_two_whom_a_rule_linked_and_holds() -> None:
    """The rule does not link them again, not even when the customer's record comes anew."""
    world = World()
    world.put(ANN)
    assert world.link("ann").customer_id == "c1"
    world.say("x:9", "c1", linked=False)
    assert world.link("ann").tier == "none"
    world.put(Customer(customer_id="c1", since=NOW, handles=("x:@ann", "x:@ann2")))
    assert world.link("ann2").tier == "none"
    assert world.link("ann", author="8").customer_id == "c1"
    world.say("x:9", "c1", linked=True)
    assert world.link("ann").basis == "manual"


def test_a_changed_directory_tells_what_an_open_alert_would_be_linked_to() -> None:
    """Nothing while nothing changed; the version says when to ask."""
    world = World()
    sender = Sender("x", Author(id="9", handle="ann"))
    before, version = Link(), world.directory.version

    def now() -> Link | None:
        found = relinked(before, sender, world.directory.find, POLICY, now=NOW)
        return found[0] if found else None

    assert now() is None
    world.put(ANN)
    assert world.directory.version > version
    changed = now()
    assert changed is not None
    assert changed.customer_id == "c1"
    before = changed
    assert now() is None
    world.say("x:9", "c1", linked=False)
    assert now() == Link()


CUSTOMERS_OF = st.sampled_from(["c1", "c2", "c3"])


@given(st.lists(st.tuples(CUSTOMERS_OF, st.booleans()), max_size=8), CUSTOMERS_OF)
def test_unlinking_is_the_inverse_of_linking(before: list[tuple[str, bool]], customer: str) -> None:
    """Whatever was said before: the link is as it was, and only the veto is new."""
    world = World()
    for name in ("c1", "c2", "c3"):
        world.put(Customer(customer_id=name, since=NOW))
    for name, linked in before:
        world.say("x:9", name, linked=linked)
    was = world.link()
    world.say("x:9", customer, linked=True)
    assert world.link().customer_id == customer
    world.say("x:9", customer, linked=False)
    if was.customer_id != customer:
        assert world.link() == was
    assert world.link().customer_id != customer
    assert world.directory.find("veto:x:9", customer) is not None


@given(st.lists(st.tuples(CUSTOMERS_OF, st.booleans()), max_size=8))
def test_what_is_said_twice_publishes_nothing_more(said: list[tuple[str, bool]]) -> None:
    """The same action again, from another desk or after a kill."""
    world = World()
    for name, linked in said:
        world.say("x:9", name, linked=linked)
        assert world.say("x:9", name, linked=linked) == []


def proof(*identifiers: str, needed: int = 1) -> Proof:
    return Proof(
        author="x:9", customer_id="c1", identifiers=identifiers, needed=needed, mention_id="x:1",
        at=NOW, counts_until=NOW + timedelta(hours=24), expires=NOW + timedelta(days=180),
    )  # fmt: skip


def test_a_proof_links_all_that_its_author_writes_until_it_expires() -> None:
    """T1 with its evidence; then it must be given again."""
    world = World()
    world.put(ANN)
    world.send(MANUAL_LINKS.name, "x:9", proof("email:ab…"))
    link = world.link()
    assert (link.customer_id, link.tier, link.basis) == ("c1", "T1", "proof")
    assert link.evidence == ("email:ab…", "x:1")
    assert link.expires == NOW + timedelta(days=180)
    assert world.link(at=NOW + timedelta(days=180)).tier == "none"
    assert world.link(author="8").tier == "none"


def test_a_person_outweighs_a_proof() -> None:
    """Linked by hand to another, then parted from both."""
    world = World()
    world.put(ANN)
    world.put(Customer(customer_id="c2", since=NOW))
    world.send(MANUAL_LINKS.name, "x:9", proof("email:ab…"))
    world.say("x:9", "c2", linked=True)
    assert world.link().customer_id == "c2"
    world.say("x:9", "c2", linked=False)
    assert world.link().customer_id == "c1"
    world.say("x:9", "c1", linked=False)
    assert world.link().tier == "none"


@pytest.mark.parametrize("who", ["customer", "author"])
def test_a_proof_is_forgotten_with_either_side(who: str) -> None:
    """The customer's erasure and the author's take-down leave nothing of it."""
    world = World()
    world.put(ANN)
    world.send(MANUAL_LINKS.name, "x:9", proof("email:ab…"))
    if who == "customer":
        world.send(CUSTOMERS.name, "c1", None)
        assert len(world.directory) == 0
    else:
        gone = Forget(author="x:9", reason="asked", requested_at=NOW)
        world.send(MANUAL_LINKS.name, "x:9", gone)
        assert len(world.directory) == 3
    assert world.authors.peek("x:9").manual.proven == {}
    assert world.link().tier == "none"
