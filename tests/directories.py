"""A directory as the index hop and its reader make it, without a broker."""

from __future__ import annotations

from agents.flow import Ledger, Outgoing
from agents.index import Known, Said, index
from listener.codec import decode
from listener.contacts import Contacts
from listener.directory import Directory
from listener.fit import band_of
from listener.identity import identities_of, parse_key
from listener.records import Customer, Identity
from listener.sources.masking import mask_bytes
from listener.topics import IDENTITIES, STATE_AUTHORS, STATE_CUSTOMERS

KEY = "a key of tests, long enough"


def directory_of(*customers: Customer) -> Directory:
    directory = Directory(band=band_of)
    for customer in customers:
        for identity in identities_of(customer):
            directory.put(identity.identifier, customer.customer_id, identity)
    return directory


def take(directory: Directory, outputs: list[Outgoing]) -> None:
    """What a worker's reader does with the index hop's outputs."""
    for out in outputs:
        if out.topic == IDENTITIES.name:
            assert out.key is not None
            identity = decode(out.value, Identity) if out.value else None
            directory.put(*parse_key(out.key.decode()), identity)


class Indexing:
    """The index hop with a directory that follows it."""

    def __init__(self, *, key: str | None = KEY, profiles: bool = False) -> None:
        self.directory = Directory(band=band_of)
        self.customers: Ledger[Known] = Ledger({}, topic=STATE_CUSTOMERS, kind=Known)
        self.authors: Ledger[Said] = Ledger({}, topic=STATE_AUTHORS, kind=Said)
        self.contacts = Contacts(key, region="DE")
        self.hop = index(
            self.customers,
            self.authors,
            seal=self.contacts.sealed,
            linked_by_hand=self.directory.authors_of,
            profiles=profiles,
            mask=mask_bytes,
        )
