"""What an author names of a customer in a message, taken out before the text is masked.

Only in a thread with the brand, only where the policy lets it prove something, and only as hashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import phonenumbers

from listener.contacts import Contacts
from listener.errors import InvalidMessage
from listener.identity import LinkPolicy, may_look
from listener.identity.identifiers import email, external, phone
from listener.records import Mention, Said
from listener.sources.masking import EMAIL

MOST: Final = 8
"""Identifiers of one message: a list of addresses proves nothing."""
DIGITS: Final = 7
"""Of the shortest phone number."""

Kind = Callable[[str], str]
Digest = Callable[[str], str | None]


class Proofs:
    """Finds identifiers in texts. One for each worker."""

    def __init__(self, policy: LinkPolicy, contacts: Contacts, *, region: str | None) -> None:
        """`region`: the country (`DE`) of numbers without a country code."""
        self._policy = policy
        self._contacts = contacts
        self._region = region
        self._patterns = [re.compile(pattern) for pattern in policy.proof.patterns]

    def found(self, mention: Mention) -> Mention:
        """The mention with what it names; whatever its source said of that is dropped."""
        needed = self._policy.proof.needed.get(mention.channel)
        said = None
        if needed is not None and self._counts(mention):
            names = tuple(dict.fromkeys(self._names(mention.text)))
            said = Said(identifiers=names, needed=needed) if 0 < len(names) <= MOST else None
        if said == mention.hints.said:
            return mention
        hints = msgspec.structs.replace(mention.hints, said=said)
        return msgspec.structs.replace(mention, hints=hints)

    def _counts(self, mention: Mention) -> bool:
        """In support the brand is spoken to; in public only an answer is part of a thread."""
        if mention.from_brand or mention.repost_of is not None or mention.author.opted_out:
            return False
        threaded = mention.channel == "support" or mention.parent or mention.root
        return bool(threaded) and may_look("T1", mention.network, self._policy)

    def _names(self, text: str) -> Iterator[str]:
        for pattern in self._patterns:
            yield from (external(match[0]) for match in pattern.finditer(text))
        if not self._contacts.keyed:
            return
        for found in EMAIL.findall(text) if "@" in text else ():
            yield from self._hashed(email, self._contacts.email, found)
        if sum(c.isdigit() for c in text) >= DIGITS:
            for match in phonenumbers.PhoneNumberMatcher(text, self._region):
                yield from self._hashed(phone, self._contacts.phone, match.raw_string)

    @staticmethod
    def _hashed(kind: Kind, digest: Digest, text: str) -> Iterator[str]:
        try:
            found = digest(text)
        except InvalidMessage:
            return
        if found is not None:
            yield kind(found)
