"""The customer directory in memory: every identifier, kept up to date from its topic.

Each worker has all of it, because an e-mail hash and the author who gave it live in different
partitions. What the identifiers of one customer share is kept once, and of each identifier only a
digest of 12 bytes (docs/benchmarks.md has the figures).
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final

import msgspec

from listener.candidates import Candidates
from listener.identity import tier_of
from listener.records import Identity, Profile, Standing

Band = Callable[[float], str]
DAY_SECONDS: Final = 86_400.0
SLACK: Final = 100
"""Ranks and counts are made anew once one in so many customers has changed."""


class Entry:
    """One customer of the directory."""

    __slots__ = ("authors", "consent", "customer_id", "own", "standing")

    def __init__(self, customer_id: str) -> None:
        self.customer_id = customer_id
        self.standing: Standing | None = None
        self.consent: dict[str, bool] | None = None
        self.own = 0
        """Identifiers of the customer's own record; with none left the customer is unknown."""
        self.authors: tuple[str, ...] = ()
        """Keys of authors linked to the customer by a person or a proof, or parted."""


class Claim:
    """A claim that did not come from the customer's own record."""

    __slots__ = ("basis", "entry", "evidence", "expires")

    def __init__(self, entry: Entry, identity: Identity) -> None:
        self.entry = entry
        self.basis = identity.basis
        self.expires = identity.expires
        self.evidence = identity.evidence


Claims = Entry | Claim | tuple[Entry | Claim, ...]


class Directory:
    """Implements `ports.Directory`."""

    def __init__(self, *, band: Band) -> None:
        self._band = band
        self._entries: dict[str, Entry] = {}
        self._claims: dict[bytes, Claims] = {}
        self._candidates = Candidates()
        self._willing: Counter[str] = Counter()
        self._values: list[float] = []
        self._counts: tuple[int, Counter[tuple[str, str]]] | None = None
        self._changed = 0
        self.version = 0
        """Rises with every change: what was linked under an older one may be linked anew."""

    def __len__(self) -> int:
        return len(self._claims)

    def find(self, identifier: str, customer_id: str | None = None) -> Identity | None:
        """The record of an identifier: the one of this customer, or of its only owner.

        What two customers have tells neither. The rank of the customer's value is filled in.
        """
        claims = _all(self._claims.get(_address(identifier)))
        if customer_id is not None:
            claims = tuple(c for c in claims if _entry(c).customer_id == customer_id)
        return self._identity(identifier, claims[0]) if len(claims) == 1 else None

    @property
    def profiles(self) -> int:
        """Customers who can be compared with an author."""
        return len(self._candidates)

    def similar(self, blocks: Sequence[str], *, most: int) -> Sequence[tuple[str, Profile]]:
        """Customers of the smallest of these blocks, with what is compared."""
        return self._candidates.find(blocks, most=most)

    def count(self, block: str) -> int:
        return self._candidates.count(block)

    def willing(self, network: str) -> bool:
        """Whether any customer gave express consent for this network."""
        return self._willing[network] > 0

    def authors_of(self, customer_id: str) -> tuple[str, ...]:
        """Keys of authors linked to the customer by a person or a proof, or parted."""
        entry = self._entries.get(customer_id)
        return entry.authors if entry else ()

    def population(self, now: datetime) -> Mapping[tuple[str, str], int]:
        """Customers of each (segment, tenure band) at `now`; in a large directory by the hour."""
        self._refresh()
        hour = int(now.timestamp() // 3600)
        if self._counts is None or self._counts[0] != hour or len(self._values) < SLACK**2:
            self._counts = hour, self._counted(now)
        return self._counts[1]

    def put(self, identifier: str, customer_id: str, identity: Identity | None) -> None:
        """Take in one record of the topic; None withdraws this customer's claim."""
        address = _address(identifier)
        if address in self._claims:
            self._withdraw(address, identifier, customer_id)
        if identifier.startswith("profile:"):
            self._candidates.put(customer_id, identity.profile if identity else None)
        if identity is not None:
            self._claim(address, identity)
        if identity is None or identity.standing is None:
            self._tidy(customer_id)
        self._changed += 1
        self.version += 1

    def _tidy(self, customer_id: str) -> None:
        entry = self._entries.get(customer_id)
        if entry is not None and not entry.own:
            entry.standing = None
            self._consent(entry, None)
            if not entry.authors:
                del self._entries[customer_id]

    def _consent(self, entry: Entry, consent: dict[str, bool] | None) -> None:
        if consent != entry.consent:
            self._willing.subtract(n for n, given in (entry.consent or {}).items() if given)
            self._willing.update(n for n, given in (consent or {}).items() if given)
            entry.consent = consent

    def _claim(self, address: bytes, identity: Identity) -> None:
        customer = identity.customer_id
        entry = self._entries.get(customer)
        if entry is None:
            entry = self._entries[customer] = Entry(customer)
        if identity.standing is not None:
            entry.own += 1
            entry.standing = _shared(identity.standing, entry.standing)
            self._consent(entry, identity.consent or None)
        else:
            author = identity.identifier.removeprefix("veto:")
            entry.authors = tuple(dict.fromkeys((*entry.authors, author)))
        claim = Claim(entry, identity) if identity.basis else entry
        others = _all(self._claims.get(address))
        self._claims[address] = (*others, claim) if others else claim

    def _withdraw(self, address: bytes, identifier: str, customer_id: str) -> None:
        claims = _all(self._claims.get(address))
        kept = tuple(c for c in claims if _entry(c).customer_id != customer_id)
        if len(kept) == len(claims):
            return
        entry = self._entries[customer_id]
        if any(isinstance(c, Claim) for c in claims if c not in kept):
            author = identifier.removeprefix("veto:")
            entry.authors = tuple(a for a in entry.authors if a != author)
        else:
            entry.own -= 1
        if len(kept) > 1:
            self._claims[address] = kept
        elif kept:
            self._claims[address] = kept[0]
        else:
            del self._claims[address]

    def _identity(self, identifier: str, claim: Entry | Claim) -> Identity | None:
        entry = _entry(claim)
        said = claim if isinstance(claim, Claim) else None
        basis = said.basis if said else ""
        if entry.standing is None and basis != "unlinked":
            return None
        return Identity(
            identifier=identifier,
            customer_id=entry.customer_id,
            tier=tier_of(identifier),
            basis=basis,
            standing=self._ranked(entry.standing),
            consent=entry.consent or {},
            expires=said.expires if said else None,
            evidence=said.evidence if said else (),
        )

    def _ranked(self, standing: Standing | None) -> Standing | None:
        if standing is None:
            return None
        self._refresh()
        rank = bisect_left(self._values, standing.value) / max(len(self._values) - 1, 1)
        return msgspec.structs.replace(standing, value_percentile=round(min(rank, 1.0), 4))

    def _refresh(self) -> None:
        """A large directory changes all the time, and sorting it takes a second."""
        if self._changed * SLACK <= len(self._values) and (self._changed == 0 or self._values):
            return
        standings = (e.standing for e in self._entries.values())
        self._values = sorted(s.value for s in standings if s is not None)
        self._counts = None
        self._changed = 0

    def _counted(self, now: datetime) -> Counter[tuple[str, str]]:
        counts: Counter[tuple[str, str]] = Counter()
        for entry in self._entries.values():
            if entry.standing is not None and entry.standing.since <= now:
                days = (now - entry.standing.since).total_seconds() / DAY_SECONDS
                counts[entry.standing.segment, self._band(days)] += 1
        return counts


def _address(identifier: str) -> bytes:
    return blake2b(identifier.encode(), digest_size=12).digest()


def _all(claims: Claims | None) -> tuple[Entry | Claim, ...]:
    if claims is None:
        return ()
    return claims if isinstance(claims, tuple) else (claims,)


def _entry(claim: Entry | Claim) -> Entry:
    return claim.entry if isinstance(claim, Claim) else claim


def _shared(standing: Standing, before: Standing | None) -> Standing:
    """One object for all identifiers of a customer, and one string for all of a segment."""
    if standing == before:
        return before
    return msgspec.structs.replace(standing, segment=sys.intern(standing.segment))
