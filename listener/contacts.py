"""E-mails and phones → what may be kept of them: a hash under the deployment's key.

Both sides of a link (the customer's record and the hints of a message) come through here, so that
they are comparable. Another system that hashes by itself must do the same: HMAC-SHA256, in hex, of
the address in lower case or of the number in E.164.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec
import phonenumbers
from email_validator import EmailNotValidError, validate_email

from listener.errors import InvalidMessage
from listener.records import Customer, Mention
from listener.settings import Settings

logger = logging.getLogger(__name__)

_Normalise = Callable[[str], str]

NO_KEY = (
    "LISTENER_IDENTITY_KEY is not set: e-mails and phones in plain are left out and link nobody; "
    "set it to the same secret of 16 characters or more in every process"
)


class Contacts:
    """Normalises and hashes. Without a key it checks and drops: a hash without one can be
    guessed from a list of numbers."""

    def __init__(self, key: str | None, *, region: str | None = None) -> None:
        """`region`: the country (`DE`) of numbers without a country code."""
        self._key = key.encode() if key else None
        self._region = region
        self._warned = False

    @property
    def keyed(self) -> bool:
        """Whether there is a key, and so any hash."""
        return self._key is not None

    def sealed(self, customer: Customer) -> Customer:
        """The customer with hashes only. Raises InvalidMessage with the field at fault."""
        if not customer.emails and not customer.phones:
            return customer
        emails = self._hashes(customer.emails, email_of, "$.emails")
        phones = self._hashes(customer.phones, self._phone_of, "$.phones")
        return msgspec.structs.replace(
            customer,
            emails=(),
            phones=(),
            email_hashes=_joined(customer.email_hashes, emails),
            phone_hashes=_joined(customer.phone_hashes, phones),
        )

    def prepared(self, mention: Mention) -> Mention:
        """The mention with hashes only. A hint that is no address or number says nothing."""
        hints = mention.hints
        if hints.email is None and hints.phone is None:
            return mention
        replaced = msgspec.structs.replace(
            hints,
            email=None,
            phone=None,
            email_hash=hints.email_hash or self._hint(hints.email, email_of),
            phone_hash=hints.phone_hash or self._hint(hints.phone, self._phone_of),
        )
        return msgspec.structs.replace(mention, hints=replaced)

    def email(self, text: str) -> str | None:
        """The hash of an address. Raises InvalidMessage."""
        return self._hash(email_of(text))

    def phone(self, text: str) -> str | None:
        """The hash of a number. Raises InvalidMessage."""
        return self._hash(self._phone_of(text))

    def _phone_of(self, text: str) -> str:
        return phone_of(text, region=self._region)

    def _hashes(
        self, texts: Sequence[str], normalise: _Normalise, field: str
    ) -> tuple[str | None, ...]:
        found = []
        for place, text in enumerate(texts):
            try:
                found.append(self._hash(normalise(text)))
            except InvalidMessage as error:
                raise InvalidMessage(error.reason, field=f"{field}[{place}]") from None
        return tuple(found)

    def _hint(self, text: str | None, normalise: _Normalise) -> str | None:
        try:
            return self._hash(normalise(text)) if text else None
        except InvalidMessage:
            return None

    def _hash(self, normalised: str) -> str | None:
        if self._key is not None:
            return hmac.new(self._key, normalised.encode(), sha256).hexdigest()
        if not self._warned:
            self._warned = True
            logger.warning(NO_KEY)
        return None


def contacts_of(settings: Settings) -> Contacts:
    """As the settings say; warns once where there is no key and one would be needed."""
    key = settings.identity_key
    return Contacts(key.get_secret_value() if key else None, region=settings.phone_region)


def email_of(text: str) -> str:
    """The address in its one form, in lower case. Raises InvalidMessage without the address."""
    try:
        found = validate_email(text.strip(), check_deliverability=False)
    except EmailNotValidError:
        raise InvalidMessage("not an e-mail address") from None
    return found.normalized.lower()


def phone_of(text: str, *, region: str | None = None) -> str:
    """The number in E.164. Raises InvalidMessage without the number."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        hint = "" if region else "; without a country code set LISTENER_PHONE_REGION"
        raise InvalidMessage(f"not a phone number{hint}") from None
    if not phonenumbers.is_possible_number(number):
        raise InvalidMessage("not a possible phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _joined(given: Sequence[str], made: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(h.lower() for h in given), *(h for h in made if h))))
