"""The identifiers that a customer has, as the directory's keys."""

from __future__ import annotations

from collections.abc import Iterator

from listener.records import Customer, Identity, Standing, Tier


def identities_of(customer: Customer) -> tuple[Identity, ...]:
    """One identity for each identifier of a customer, without repeats, in a fixed order."""
    standing = Standing(segment=customer.segment, since=customer.since, value=customer.value)
    found = dict(_identifiers(customer))
    return tuple(
        Identity(
            identifier=identifier, customer_id=customer.customer_id, tier=tier, standing=standing
        )
        for identifier, tier in found.items()
    )


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


def _identifiers(customer: Customer) -> Iterator[tuple[str, Tier]]:
    yield external(customer.customer_id), "T0"
    for identifier in customer.external_ids:
        yield external(identifier), "T0"
    for digest in customer.email_hashes:
        yield email(digest), "T0"
    for name in customer.domains:
        yield domain(name), "T1"
    for given in customer.handles:
        network, _, name = given.partition(":")
        yield handle(network, name), "T2"
