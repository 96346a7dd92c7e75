"""T1 by proof: what an author names in a thread, and what becomes of it."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.errors import PolicyError
from listener.identity import LinkPolicy, ManualState, identities_for, link, proof_of, prove
from listener.policy import parse_policy
from listener.records import Author, Customer, Hints, Link, Mention, Proof, Said
from tests.directories import directory_of
from tests.worlds import NOW, mention

ANN = Customer(customer_id="c1", since=NOW, external_ids=("N-1",), email_hashes=("aa" * 32,))
BOB = Customer(customer_id="c2", since=NOW, external_ids=("N-2",))
EMAIL, NUMBER, OTHER = f"email:{'aa' * 32}", "external:N-1", "external:N-2"
POLICY = LinkPolicy()


def naming(*identifiers: str, needed: int = 1, **changes: Any) -> Mention:
    fields: dict[str, Any] = {"author": Author(id="9"), "network": "mastodon"}
    said = Said(identifiers=identifiers, needed=needed)
    return mention(hints=Hints(said=said), **(fields | changes))


def found(sent: Mention, policy: LinkPolicy = POLICY, *customers: Customer) -> Link:
    return link(sent, directory_of(*(customers or (ANN, BOB))).find, policy)[0]


def proof(sent: Mention, policy: LinkPolicy = POLICY, *customers: Customer) -> Proof | None:
    find = directory_of(*(customers or (ANN, BOB))).find
    return proof_of(sent, link(sent, find, policy)[0], find, policy)


def test_who_names_enough_is_linked_with_what_was_named_and_until_when() -> None:
    """T1; a hash is never shown whole, and a proof is asked for again in half a year."""
    sent = naming(EMAIL, NUMBER, needed=2)
    shown = found(sent)
    assert (shown.customer_id, shown.tier, shown.basis) == ("c1", "T1", "proof")
    assert shown.evidence == ("email:aaaaaaaa…", NUMBER)
    assert shown.expires == NOW + timedelta(days=180)
    kept = proof(sent)
    assert kept is not None
    assert (kept.author, kept.customer_id) == ("mastodon:9", "c1")
    assert kept.identifiers == shown.evidence


def test_too_little_or_two_customers_prove_nothing() -> None:
    """An address in public is known to others; whoever names two customers is neither for sure."""
    assert found(naming(EMAIL, needed=2)).tier == "none"
    assert found(naming(EMAIL, "external:unknown", needed=2)).tier == "none"
    assert found(naming(EMAIL, OTHER)).tier == "none"
    assert proof(naming(EMAIL, OTHER)) is None


def test_an_id_and_a_person_outweigh_a_proof_and_a_proof_a_handle() -> None:
    """The order of the tiers."""
    by_id = msgspec.structs.replace(naming(NUMBER).hints, external_id="N-2")
    sent = msgspec.structs.replace(naming(NUMBER), hints=by_id)
    assert found(sent).basis == "external_id"
    assert proof(sent) is None
    handled = msgspec.structs.replace(BOB, handles=("mastodon:@bob",))
    sent = naming(NUMBER, author=Author(id="9", handle="bob"))
    assert found(sent, POLICY, ANN, handled).customer_id == "c1"


@pytest.mark.parametrize(
    ("policy", "consent"),
    [
        (LinkPolicy(gates={"mastodon": ("T0", "T2")}), {}),
        (LinkPolicy(opt_in={"mastodon": ("T1",)}), {}),
        (POLICY, {"mastodon": False}),
    ],
)
def test_no_gate_is_passed_by_a_proof(policy: LinkPolicy, consent: dict[str, bool]) -> None:
    """The network's gate, consent that was not given, and consent that was withdrawn: there is no
    link, and nothing is remembered."""
    customer = msgspec.structs.replace(ANN, consent=consent)
    assert found(naming(NUMBER), policy, customer).tier == "none"
    assert proof(naming(NUMBER), policy, customer) is None
    willing = msgspec.structs.replace(ANN, consent={"mastodon": True})
    closed = bool(policy.gates)
    assert (found(naming(NUMBER), policy, willing).tier == "T1") is not closed


def test_authors_who_opted_out_and_the_brand_prove_nothing() -> None:
    """Consent comes before evidence."""
    out = naming(NUMBER, author=Author(id="9", opted_out=True))
    assert (found(out).tier, proof(out)) == ("none", None)
    ours = naming(NUMBER, from_brand=True)
    assert (found(ours).tier, proof(ours)) == ("none", None)


def part(*identifiers: str, at: datetime = NOW, customer: str = "c1", needed: int = 2) -> Proof:
    return Proof(
        author="x:9", customer_id=customer, identifiers=identifiers, needed=needed,
        mention_id="x:1", at=at, counts_until=at + timedelta(hours=24),
        expires=at + timedelta(days=180),
    )  # fmt: skip


def proven(*parts: Proof) -> list[str]:
    state = ManualState()
    for one in parts:
        prove(one, state)
    return [identity.customer_id for identity in identities_for("x:9", state)]


def test_what_is_missing_may_follow_in_the_thread() -> None:
    """The address now, the number when it is asked for; a day later it is another conversation."""
    assert proven(part("a")) == []
    assert proven(part("a"), part("b", at=NOW + timedelta(hours=2))) == ["c1"]
    assert proven(part("a"), part("a", at=NOW + timedelta(hours=2))) == []
    assert proven(part("a"), part("b", at=NOW + timedelta(hours=25))) == []


def test_a_part_takes_nothing_from_a_proof_and_the_newest_proof_counts() -> None:
    """Neither of the same customer nor of another."""
    late = NOW + timedelta(days=3)
    assert proven(part("a", "b"), part("a", at=late)) == ["c1"]
    assert proven(part("a", "b"), part("z", at=late, customer="c2")) == ["c1"]
    assert proven(part("a", "b"), part("y", "z", at=late, customer="c2")) == ["c2"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["c1", "c2"])), max_size=12))
def test_a_proof_that_comes_twice_changes_nothing(named: list[tuple[str, str]]) -> None:
    """After a kill, or from two desks."""
    state = ManualState()
    for identifier, customer in named:
        sent = part(identifier, customer=customer)
        prove(sent, state)
        once = list(identities_for("x:9", state))
        prove(sent, state)
        assert list(identities_for("x:9", state)) == once


def test_a_policy_of_proofs_that_cannot_be_is_refused() -> None:
    """With the key to mend."""
    for text in ("{needed: {public: 0}}", "{patterns: ['(']}", "{needed: {post: 1}}"):
        with pytest.raises(PolicyError, match=r"identity\.proof"):
            parse_policy(f"identity: {{proof: {text}}}", where="p.yaml")
