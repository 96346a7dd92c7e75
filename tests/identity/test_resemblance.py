"""T3: customers whom nothing exact links, by handle, name, place and domain."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.directory import Directory
from listener.escalation import EscalationPolicy
from listener.escalation.score import Facts, score
from listener.identity import LinkPolicy, guesser, link, packaged, subject_of
from listener.identity.compare import CLASH, FULL, INITIAL, NONE, SURNAME, compare
from listener.identity.names import core_of, letters_of, person_of
from listener.identity.probable import MOST, ranked
from listener.records import Author, Customer, Link, Profile, Standing
from tests.directories import directory_of
from tests.people import invented
from tests.worlds import NOW, labels, linked, mention

POLICY = LinkPolicy()
CROWD = [
    Customer(customer_id=name, since=NOW, names=p.names, handles=p.handles, location=p.location)
    for name, p in invented(800, seed=3, networks=("mastodon", "bluesky"))
]
ILSE = Customer(
    customer_id="c1", since=NOW, names=("Elisabeth Quastenberg",),
    handles=("mastodon:lizquastenberg",), location="Graz, Austria",
)  # fmt: skip


def linked_to(
    directory: Directory, handle: str, name: str | None = None, *, network: str = "bluesky",
    policy: LinkPolicy = POLICY, **author: Any,
) -> tuple[Link, Standing | None]:  # fmt: skip
    guess = guesser(directory, packaged(), policy)
    sent = mention(network=network, author=Author(id="9", handle=handle, name=name, **author))
    return link(sent, directory.find, policy, guess=guess)


def tier(*customers: Customer, handle: str, name: str | None = None, **more: Any) -> str:
    return linked_to(directory_of(*CROWD, *customers), handle, name, **more)[0].tier


def test_a_resemblance_links_with_its_probability_and_its_reasons() -> None:
    """The evidence tells what agreed, and no name, handle or place of the customer."""
    found, standing = linked_to(directory_of(*CROWD, ILSE), "lizquastenberg", "Liz Quastenberg")
    assert (found.customer_id, found.tier, found.basis) == ("c1", "T3", "resemblance")
    assert packaged().threshold <= found.probability < 1
    assert found.evidence == ("name", "name spelt alike in handles")
    assert found.expires is not None
    assert standing is not None


def test_less_than_that_links_nobody() -> None:
    """A surname alone, another given name, a namesake, or the handle that they gave there."""
    assert tier(ILSE, handle="quastenberg") == "none"
    assert tier(ILSE, handle="hansquastenberg", name="Hans Quastenberg") == "none"
    twin = msgspec.structs.replace(ILSE, customer_id="c2")
    assert tier(ILSE, twin, handle="lizquastenberg", name="Liz Quastenberg") == "none"
    known = msgspec.structs.replace(ILSE, handles=("bluesky:liz_q", *ILSE.handles))
    assert tier(known, handle="lizquastenberg", name="Liz Quastenberg") == "none"


def test_on_x_it_waits_for_the_customers_express_consent() -> None:
    """X forbids matching with what is known off the platform, unless people opted in."""
    like = {"handle": "lizquastenberg", "name": "Liz Quastenberg", "network": "x"}
    assert tier(ILSE, **like) == "none"
    assert tier(msgspec.structs.replace(ILSE, consent={"x": True}), **like) == "T3"
    closed = LinkPolicy(gates={"x": ("T0", "T1", "T2")})
    willing = msgspec.structs.replace(ILSE, consent={"x": True})
    assert tier(willing, **like, policy=closed) == "none"


def test_where_nobody_consented_nobody_is_compared() -> None:
    """Consent that was withdrawn, or went with its customer, counts no longer."""
    willing = msgspec.structs.replace(ILSE, consent={"x": True, "bluesky": False})
    directory = directory_of(willing)
    assert (directory.willing("x"), directory.willing("bluesky")) == (True, False)
    for identifier in ("external:c1", "mastodon:@lizquastenberg", "profile:c1"):
        assert directory.willing("x")
        directory.put(identifier, "c1", None)
    assert not directory.willing("x")
    assert len(directory) == 0


def test_who_may_not_be_linked_does_not_make_room_for_the_next() -> None:
    """The second likeliest would be the wrong one."""
    shy = msgspec.structs.replace(ILSE, consent={"bluesky": False})
    like = {"handle": "lizquastenberg", "name": "Liz Quastenberg"}
    assert tier(shy, **like) == "none"
    cousin = Customer(customer_id="c2", since=NOW, names=("L. Quastenberg",))
    assert tier(shy, cousin, **like) == "none"


def test_a_policy_without_resemblance_keeps_no_names() -> None:
    """The directory has names only where they are used."""
    directory = directory_of(ILSE)
    assert directory.profiles == 1
    directory.put("profile:c1", "c1", None)
    assert directory.profiles == 0
    off = LinkPolicy(probabilistic=False)
    assert linked_to(directory_of(ILSE), "lizquastenberg", policy=off)[0].tier == "none"


def test_the_author_keeps_their_own_state_and_value_never_counts() -> None:
    """Were the link wrong, two people's threads would be one, and money would wake somebody."""
    found, _ = linked_to(directory_of(*CROWD, ILSE), "lizquastenberg", "Liz Quastenberg")
    sent = mention(network="bluesky", author=Author(id="9", handle="lizquastenberg"))
    assert subject_of(sent, found) == "bluesky:9"
    rich = Standing(segment="s", since=NOW, value=9e9, value_percentile=1.0)
    record = linked(judged=labels(), link=found, standing=rich)
    assert "value" not in {r.code for r in score(record, Facts(), EscalationPolicy()).reasons}


def of(name: str | None, handle: str | None = None) -> Author:
    return Author(id="9", handle=handle, name=name)


@pytest.mark.parametrize(("author", "level"), [
    (of("William Stone"), FULL), (of("Bill Stone"), FULL), (of("Stone, Will"), FULL),
    (of("stone bill"), FULL), (of("Dr. Billy Stone 🚀"), FULL), (of("W. Stone"), INITIAL),
    (of("Stone"), SURNAME), (of("Maria Stone"), CLASH), (of("Bill Rivers"), NONE),
    (of(None, "bill_stone"), FULL), (of(None, "wstone"), INITIAL), (of(None, "TheStone"), SURNAME),
    (of(None, "mariastone"), CLASH), (of(None, "knitsalot"), NONE),
])  # fmt: skip
def test_names_agree_by_nickname_order_and_initial(author: Author, level: int) -> None:
    """However people write themselves, in a display name or a handle."""
    profile = Profile(names=("William Stone",), handles=("mastodon:x1",))
    pattern = compare("bluesky", author, profile)
    assert pattern is not None
    assert pattern.called == level


def test_places_and_domains_agree_where_both_are_known() -> None:
    """Missing says nothing; a domain may be the customer's, or spell the name."""
    profile = Profile(names=("Ann Ash",), location="Graz, Austria", domains=("ash.example",))

    def levels(**author: Any) -> tuple[int, int]:
        pattern = compare("x", Author(id="9", name="Ann Ash", **author), profile)
        assert pattern is not None
        return pattern.place, pattern.domain

    assert levels() == (-1, -1)
    assert levels(location="Graz", verified_domains=("www.ash.example",)) == (1, 2)
    assert levels(location="Leeds", verified_domains=("annash.example",)) == (0, 1)


@given(st.text(max_size=30))
def test_any_text_has_a_form_to_compare(text: str) -> None:
    """Names and handles are other people's text: nothing may raise, and forms are stable."""
    person_of(text)
    core = core_of(text)
    assert core_of(core) == core
    assert letters_of(letters_of(core)) == letters_of(core)
    author = Author(id="9", handle=text, name=text)
    ranked("x", author, directory_of(ILSE), packaged(), share=0.2)


@given(st.integers(1, 60))
def test_at_most_some_dozens_are_compared(namesakes: int) -> None:
    """However many have the name; and what many share is not even looked at."""
    crowd = [Customer(customer_id=f"n{n}", since=NOW, names=("Ann Ash",)) for n in range(namesakes)]
    found = ranked("x", of("Ann Ash", "annash"), directory_of(*crowd), packaged(), share=0.2)
    assert len(found) == (namesakes if namesakes <= MOST else 0)
    assert sum(one.probability for one in found) <= 1 + 1e-9
    assert namesakes == 1 or all(one.probability <= 0.5 for one in found)
