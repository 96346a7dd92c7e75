"""The customer directory in memory: every identifier, kept up to date from its topic.

Each worker has all of it, because an e-mail hash and the author who gave it live in different
partitions. What the identifiers of one customer share is kept once, and of each identifier only a
digest of 12 bytes (docs/benchmarks.md has the figures).
"""

from __future__ import annotations

import asyncio
import logging
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from listener.candidates import Candidates
from listener.codec import decode
from listener.errors import BrokerError, InvalidMessage
from listener.identity import parse_key, tier_of
from listener.records import Identity, Profile, Standing
from listener.settings import Settings
from listener.topics import IDENTITIES

logger = logging.getLogger(__name__)

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
        """Keys of authors whom people linked to the customer by hand, or parted."""


class Claim:
    """A claim that did not come from the customer's own record."""

    __slots__ = ("basis", "entry")

    def __init__(self, entry: Entry, basis: str) -> None:
        self.entry = entry
        self.basis = basis


Claims = Entry | Claim | tuple[Entry | Claim, ...]


class Directory:
    """Implements `ports.Directory`."""

    def __init__(self, *, band: Band) -> None:
        self._band = band
        self._entries: dict[str, Entry] = {}
        self._claims: dict[bytes, Claims] = {}
        self._candidates = Candidates()
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

    def authors_of(self, customer_id: str) -> tuple[str, ...]:
        """Keys of authors whom people linked to the customer by hand, or parted."""
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
            if not entry.authors:
                del self._entries[customer_id]

    def _claim(self, address: bytes, identity: Identity) -> None:
        customer = identity.customer_id
        entry = self._entries.get(customer)
        if entry is None:
            entry = self._entries[customer] = Entry(customer)
        if identity.standing is not None:
            entry.own += 1
            entry.standing = _shared(identity.standing, entry.standing)
            entry.consent = identity.consent or None
        else:
            author = identity.identifier.removeprefix("veto:")
            entry.authors = tuple(dict.fromkeys((*entry.authors, author)))
        claim = Claim(entry, identity.basis) if identity.basis else entry
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
        basis = claim.basis if isinstance(claim, Claim) else ""
        if entry.standing is None and basis != "unlinked":
            return None
        return Identity(
            identifier=identifier,
            customer_id=entry.customer_id,
            tier=tier_of(identifier),
            basis=basis,
            standing=self._ranked(entry.standing),
            consent=entry.consent or {},
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


class DirectoryReader:
    """Fills a directory from its topic: first up to the end, then as it changes."""

    def __init__(self, directory: Directory, settings: Settings) -> None:
        self._directory = directory
        self._settings = settings
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once everything that is on the topic is in. Raises BrokerError."""
        self._consumer = AIOKafkaConsumer(enable_auto_commit=False, **self._settings.kafka)
        try:
            await self._consumer.start()
            await self._catch_up()
        except (KafkaError, OSError) as error:
            await self._consumer.stop()
            raise self._settings.unreachable(error) from None
        self._task = asyncio.ensure_future(self._follow())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._consumer.stop()

    async def _catch_up(self) -> None:
        # Without a name the cluster is asked for every topic.
        await self._consumer._client.force_metadata_update()
        partitions = self._consumer.partitions_for_topic(IDENTITIES.name) or set()
        places = [TopicPartition(IDENTITIES.name, number) for number in partitions]
        if not places:
            raise BrokerError(
                f"topic {IDENTITIES.name} is missing; make it with `listener topics create`"
            )
        self._consumer.assign(places)
        await self._consumer.seek_to_beginning(*places)
        ends = await self._consumer.end_offsets(places)
        while [place for place in places if await self._consumer.position(place) < ends[place]]:
            await self._read(timeout_ms=200)

    async def _follow(self) -> None:
        while True:
            await self._read(timeout_ms=1000)

    async def _read(self, *, timeout_ms: int) -> None:
        batches = await self._consumer.getmany(timeout_ms=timeout_ms)
        for messages in batches.values():
            for message in messages:
                self._take(message)

    def _take(self, message: Any) -> None:
        identifier, customer = parse_key(message.key.decode())
        try:
            identity = decode(message.value, Identity) if message.value else None
        except InvalidMessage as error:
            logger.warning("%s offset %d: %s", IDENTITIES.name, message.offset, error)
            return
        self._directory.put(identifier, customer, identity)
