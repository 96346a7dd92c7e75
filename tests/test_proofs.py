"""What a message names of a customer, before it is masked."""

from typing import Any

import pytest

from listener.contacts import Contacts
from listener.identity import LinkPolicy, ProofPolicy
from listener.proofs import Proofs
from listener.records import Author, Hints, Said
from tests.directories import KEY
from tests.worlds import mention

POLICY = LinkPolicy(proof=ProofPolicy(patterns=(r"\bNV-\d{6}\b",)))
CONTACTS = Contacts(KEY, region="DE")
TEXT = "It is Ann.Lee@mail.example, 0171 2345678 and NV-123456, ordered 2026-01-02"


def said(policy: LinkPolicy = POLICY, *, key: str | None = KEY, **changes: Any) -> Said | None:
    fields: dict[str, Any] = {"text": TEXT, "channel": "support"}
    contacts = CONTACTS if key else Contacts(None)
    sent = Proofs(policy, contacts, region="DE").found(mention(**(fields | changes)))
    return sent.hints.said


def test_addresses_numbers_and_ids_are_found_and_hashed() -> None:
    """As the directory has them: whatever the spelling; a date is no number."""
    found = said()
    assert found is not None
    assert found.needed == 1
    assert found.identifiers == (
        "external:NV-123456",
        f"email:{CONTACTS.email('ann.lee@mail.example')}",
        f"phone:{CONTACTS.phone('+49 171 2345678')}",
    )


def test_without_a_key_only_ids_are_found() -> None:
    """A hash without a key can be guessed from a list of numbers."""
    found = said(key=None)
    assert found is not None
    assert found.identifiers == ("external:NV-123456",)


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": "public"},
        {"channel": "review"},
        {"from_brand": True},
        {"repost_of": "x:7"},
        {"author": Author(id="9", opted_out=True)},
        {"text": "no number of mine"},
        {"text": " ".join(f"a{n}@mail.example" for n in range(9))},
    ],
)
def test_where_nothing_is_proven_nothing_is_taken(changes: dict[str, Any]) -> None:
    """Outside a thread, by others than the author, or a whole list: no hash is kept."""
    assert said(**changes) is None


def test_in_public_only_an_answer_counts_and_it_takes_two() -> None:
    """What the channel needs travels with the message."""
    found = said(channel="public", parent="x:7")
    assert found is not None
    assert found.needed == 2


def test_a_closed_gate_takes_nothing() -> None:
    """What may not link is not collected."""
    assert said(LinkPolicy(gates={"x": ("T0",)})) is None


def test_what_a_source_claims_to_have_heard_is_dropped() -> None:
    """Only the text proves."""
    claimed = Hints(said=Said(identifiers=("external:NV-1",), needed=1))
    assert said(text="hello", hints=claimed) is None
