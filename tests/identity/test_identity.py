from datetime import timedelta
from typing import Any

import msgspec

from listener.identity import LinkPolicy, link, subject_of
from listener.records import Author, Customer, Hints, Link
from tests.directories import directory_of
from tests.worlds import NOW, mention

ANN = Customer(
    customer_id="c1",
    segment="promo",
    since=NOW,
    external_ids=("E-1",),
    email_hashes=("ABC",),
    phone_hashes=("DEF",),
    handles=("x:@Ann",),
    domains=("www.Acme.example",),
)
FIND = directory_of(ANN).find
POLICY = LinkPolicy()


def tier(policy: LinkPolicy = POLICY, **changes: Any) -> str:
    stranger: dict[str, Any] = {"author": Author(id="9", handle="nobody")}
    found, _ = link(mention(**(stranger | changes)), FIND, policy)
    return found.tier


def test_each_tier_links_by_its_own_evidence() -> None:
    """T0 same id or e-mail hash, T1 proven domain, T2 the handle that the customer gave."""
    assert tier(hints=Hints(external_id="E-1")) == "T0"
    assert tier(hints=Hints(email_hash="abc")) == "T0"
    assert tier(hints=Hints(phone_hash="def")) == "T0"
    assert tier(author=Author(id="9", verified_domains=("acme.example",))) == "T1"
    assert tier(author=Author(id="9", handle="@ANN")) == "T2"
    assert tier() == "none"


def test_the_strongest_evidence_wins() -> None:
    """A handle never outweighs an id."""
    assert tier(author=Author(id="9", handle="ann"), hints=Hints(external_id="E-1")) == "T0"


def test_a_gate_closes_a_tier_for_one_network() -> None:
    """Each source has its own consent."""
    closed = LinkPolicy(gates={"x": ("T0",)})
    assert tier(closed, author=Author(id="9", handle="ann")) == "none"


def test_opted_out_authors_and_the_brand_itself_are_never_linked() -> None:
    """Consent comes before evidence."""
    assert tier(author=Author(id="9", handle="ann", opted_out=True)) == "none"
    assert tier(author=Author(id="9", handle="ann"), from_brand=True) == "none"


def test_the_subject_is_the_customer_or_else_the_author() -> None:
    """All of one customer's messages meet in one state."""
    known = mention(hints=Hints(external_id="E-1"))
    found, _ = link(known, FIND, POLICY)
    assert subject_of(known, found) == "customer:c1"
    stranger = mention(author=Author(id="9"))
    found, _ = link(stranger, FIND, POLICY)
    assert subject_of(stranger, found) == "x:9"


def found(policy: LinkPolicy = POLICY, *customers: Customer, **changes: Any) -> Link:
    stranger: dict[str, Any] = {"author": Author(id="9", handle="nobody")}
    find = directory_of(*(customers or (ANN,))).find
    return link(mention(**(stranger | changes)), find, policy)[0]


def test_a_link_shows_its_basis_but_never_a_whole_hash() -> None:
    """Evidence goes to alerts and pages: enough to compare, not to look a person up."""
    digest = "a" * 64
    customer = Customer(customer_id="c1", since=NOW, email_hashes=(digest,))
    link = found(POLICY, customer, hints=Hints(email_hash=digest))
    assert (link.tier, link.basis, link.evidence) == ("T0", "email_hash", ("email:aaaaaaaa…",))


def test_a_link_says_until_when_it_holds() -> None:
    """An id holds; a handle can go to someone else, so it is asked again in a year."""
    assert found(hints=Hints(external_id="E-1")).expires is None
    given = found(author=Author(id="9", handle="ann"))
    assert given.expires == NOW + timedelta(days=365)


def test_withdrawn_consent_closes_a_network_whatever_the_evidence() -> None:
    """Even for an id; the other networks stay as they are."""
    customer = msgspec.structs.replace(ANN, consent={"x": False})
    assert found(POLICY, customer, hints=Hints(external_id="E-1")).tier == "none"
    elsewhere = found(POLICY, customer, network="mastodon", hints=Hints(external_id="E-1"))
    assert elsewhere.tier == "T0"


def test_an_opt_in_tier_waits_for_express_consent() -> None:
    """Nobody asked is as good as no."""
    policy = LinkPolicy(opt_in={"x": ("T2",)})
    by_handle = {"author": Author(id="9", handle="ann")}
    assert found(policy, ANN, **by_handle).tier == "none"
    willing = msgspec.structs.replace(ANN, consent={"x": True})
    assert found(policy, willing, **by_handle).tier == "T2"


def test_what_two_customers_share_links_neither() -> None:
    """A family's address tells the household, not the person; once one leaves it, it tells."""
    other = Customer(customer_id="c2", since=NOW, email_hashes=("abc",))
    assert found(POLICY, ANN, other, hints=Hints(email_hash="abc")).tier == "none"
    directory = directory_of(ANN, other)
    directory.put("email:abc", "c2", None)
    link_, _ = link(mention(hints=Hints(email_hash="abc")), directory.find, POLICY)
    assert link_.customer_id == "c1"
