from typing import Any

from listener.identity import LinkPolicy, identities_of, link, subject_of
from listener.records import Author, Customer, Hints
from tests.worlds import NOW, mention

ANN = Customer(
    customer_id="c1",
    segment="promo",
    since=NOW,
    external_ids=("E-1",),
    email_hashes=("ABC",),
    handles=("x:@Ann",),
    domains=("www.Acme.example",),
)
DIRECTORY = {identity.identifier: identity for identity in identities_of(ANN)}
POLICY = LinkPolicy()


def tier(policy: LinkPolicy = POLICY, **changes: Any) -> str:
    stranger: dict[str, Any] = {"author": Author(id="9", handle="nobody")}
    found, _ = link(mention(**(stranger | changes)), DIRECTORY.get, policy)
    return found.tier


def test_each_tier_links_by_its_own_evidence() -> None:
    """T0 same id or e-mail hash, T1 proven domain, T2 the handle that the customer gave."""
    assert tier(hints=Hints(external_id="E-1")) == "T0"
    assert tier(hints=Hints(email_hash="abc")) == "T0"
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
    found, _ = link(known, DIRECTORY.get, POLICY)
    assert subject_of(known, found) == "customer:c1"
    stranger = mention(author=Author(id="9"))
    found, _ = link(stranger, DIRECTORY.get, POLICY)
    assert subject_of(stranger, found) == "x:9"
