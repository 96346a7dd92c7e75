"""A T3 lookup among 1,000,000 customers: time, comparisons and memory.

`python -m tests.benchmarks.directory` (`LISTENER_CUSTOMERS` for another number).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from random import Random
from time import perf_counter

from listener.directory import Directory
from listener.fit import band_of
from listener.identity import LinkPolicy, Sender, guesser, identities_of, link_of, packaged
from listener.identity.probable import compared
from listener.records import Author, Customer
from tests.benchmarks.__main__ import rss
from tests.people import given, handle, invented, surname

CUSTOMERS = int(os.environ.get("LISTENER_CUSTOMERS", "1000000"))
LOOKUPS = 3000
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    before = rss(os.getpid())
    directory = Directory(band=band_of)
    began = perf_counter()
    for customer in customers():
        for identity in identities_of(customer):
            directory.put(identity.identifier, customer.customer_id, identity)
    print(f"{CUSTOMERS} customers, {len(directory)} identifiers in {perf_counter() - began:.0f} s")
    print(f"memory: {rss(os.getpid()) - before} MB")
    measure(directory)


def customers() -> Iterator[Customer]:
    """Each with an id, an e-mail, a phone, a handle and what T3 compares."""
    for number, (name, profile) in enumerate(invented(CUSTOMERS, seed=1, networks=("mastodon",))):
        yield Customer(
            customer_id=name,
            segment=f"s{number % 20}",
            since=NOW,
            value=float(number % 5000),
            names=profile.names,
            handles=profile.handles,
            location=profile.location,
            email_hashes=(sha256(b"e%d" % number).hexdigest(),),
            phone_hashes=(sha256(b"p%d" % number).hexdigest(),),
        )


def measure(directory: Directory) -> None:
    policy = LinkPolicy()
    guess = guesser(directory, packaged(), policy)
    authors = list(strangers())
    link_of(Sender("bluesky", authors[0]), directory.find, policy, now=NOW, guess=guess)
    times, linked, counts = [], 0, []
    for author in authors:
        began = perf_counter()
        found, _ = link_of(Sender("bluesky", author), directory.find, policy, now=NOW, guess=guess)
        times.append((perf_counter() - began) * 1000)
        linked += found.tier == "T3"
    counts = sorted(len(compared("bluesky", author, directory)) for author in authors)
    times.sort()
    print(f"lookup: median {times[LOOKUPS // 2]:.2f} ms, p99 {times[LOOKUPS * 99 // 100]:.2f} ms")
    print(f"comparisons: median {counts[LOOKUPS // 2]}, most {counts[-1]}; linked {linked}")


def strangers() -> Iterator[Author]:
    """Authors with a display name and a handle, like the customers and none of them."""
    draw = Random(2)
    for number in range(LOOKUPS):
        first, last = given(draw), surname(draw)
        yield Author(id=str(number), handle=handle(draw, first, last), name=f"{first} {last}")


if __name__ == "__main__":
    main()
