"""The identifiers that a customer has, as the directory's keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from listener.records import Customer, Identity, Profile, Standing, Tier

Find = Callable[[str, str | None], Identity | None]
"""Identifier → its record: the one of the customer given, or of its only owner."""


def identities_of(customer: Customer, *, profiles: bool = True) -> tuple[Identity, ...]:
    """One identity for each identifier of a customer, without repeats, in a fixed order.

    `profiles`: also what probabilistic linking compares (names and the like), where it is used.
    """
    standing = Standing(segment=customer.segment, since=customer.since, value=customer.value)
    profile = _profile(customer) if profiles else None
    found = dict(_identifiers(customer))
    if profile is not None:
        found[profile_key(customer.customer_id)] = "T3"
    return tuple(
        Identity(
            identifier=identifier,
            customer_id=customer.customer_id,
            tier=tier,
            standing=standing,
            consent=customer.consent,
            profile=profile if tier == "T3" else None,
        )
        for identifier, tier in found.items()
    )


def key_of(identifier: str, customer_id: str) -> str:
    """The key on the topic: two customers may have one identifier, and each their own record."""
    return f"{identifier}|{customer_id.replace('%', '%25').replace('|', '%7C')}"


def parse_key(key: str) -> tuple[str, str]:
    """Identifier and customer of a key, for a record that is withdrawn."""
    identifier, _, customer = key.rpartition("|")
    return identifier, customer.replace("%7C", "|").replace("%25", "%")


def external(identifier: str) -> str:
    return f"external:{identifier}"


def email(digest: str) -> str:
    return f"email:{digest.lower()}"


def phone(digest: str) -> str:
    return f"phone:{digest.lower()}"


def domain(name: str) -> str:
    return f"domain:{name.lower().removeprefix('www.')}"


def handle(network: str, name: str) -> str:
    return f"{network.lower()}:@{name.lower().removeprefix('@')}"


def profile_key(customer_id: str) -> str:
    return f"profile:{customer_id}"


def veto(author: str) -> str:
    """Of an author whom a person parted from the customer of the record."""
    return f"veto:{author}"


def masked(identifier: str) -> str:
    """As a person may see it: of a hash only what tells two of them apart."""
    kind, _, digest = identifier.partition(":")
    return f"{kind}:{digest[:8]}…" if kind in ("email", "phone") else identifier


def tier_of(identifier: str) -> Tier:
    """The tier of the evidence that an identifier is."""
    kind, _, rest = identifier.partition(":")
    tiers: dict[str, Tier] = {"domain": "T1", "profile": "T3", "veto": "none"}
    return tiers.get(kind, "T2" if rest.startswith("@") else "T0")


def _identifiers(customer: Customer) -> Iterator[tuple[str, Tier]]:
    yield external(customer.customer_id), "T0"
    for identifier in customer.external_ids:
        yield external(identifier), "T0"
    for digest in customer.email_hashes:
        yield email(digest), "T0"
    for digest in customer.phone_hashes:
        yield phone(digest), "T0"
    for name in customer.domains:
        yield domain(name), "T1"
    for given in customer.handles:
        network, _, name = given.partition(":")
        yield handle(network, name), "T2"


def _profile(customer: Customer) -> Profile | None:
    """None where there is nothing to compare, or where the customer wants it nowhere."""
    if not customer.names and not customer.handles:
        return None
    return Profile(
        names=customer.names,
        handles=customer.handles,
        location=customer.location,
        domains=customer.domains,
    )
