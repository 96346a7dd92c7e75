"""Which column of a CRM's export is which field of a customer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from listener.errors import InputError

LISTS: Final = {
    "names": ";",
    "emails": ";,",
    "phones": ";",
    "external_ids": ";,",
    "email_hashes": ";,",
    "phone_hashes": ";,",
    "handles": ";,",
    "domains": ";,",
}
"""Fields with several values, and what separates them in one cell."""
PLAIN: Final = ("customer_id", "segment", "since", "value", "left_at", "location", "language",
                "source", "consent", "erase", "first_name", "last_name")  # fmt: skip
ALIASES: Final = {
    "customer_id": "id customer customer_no customer_number cust_id client_id account_id",
    "names": "name full_name display_name customer_name",
    "first_name": "given_name firstname forename",
    "last_name": "surname family_name lastname",
    "emails": "email e_mail e_mails mail email_address",
    "phones": "phone telephone tel mobile mobile_phone phone_number",
    "external_ids": "external_id crm_id",
    "email_hashes": "email_hash",
    "phone_hashes": "phone_hash",
    "handles": "handle social",
    "domains": "domain website web",
    "segment": "campaign",
    "source": "acquisition_source channel",
    "since": "acquired_at acquisition_date customer_since created_at signup_date start_date",
    "left_at": "churned_at cancelled_at end_date",
    "value": "annual_value revenue arr",
    "location": "city place town",
    "language": "lang locale",
    "consent": "consents",
    "erase": "erased delete",
}
NETWORKS: Final = ("x", "twitter", "mastodon", "bluesky", "facebook", "instagram", "youtube",
                   "linkedin", "reddit", "tiktok")  # fmt: skip
FIELDS: Final = (*LISTS, *PLAIN)
_BY_NAME: Final = {alias: field for field, names in ALIASES.items() for alias in names.split()}
_YES: Final = {"yes": True, "y": True, "true": True, "1": True, "given": True, "opt_in": True,
               "no": False, "n": False, "false": False, "0": False, "withdrawn": False,
               "opt_out": False}  # fmt: skip


class Columns:
    """Reads rows with these column names; a name that says nothing to us is left aside."""

    def __init__(self, header: Iterable[str], mapping: Mapping[str, str]) -> None:
        """`mapping`: column → field, before any alias. Raises InputError."""
        names = list(header)
        for column in mapping:
            if column not in names:
                known = ", ".join(names)
                raise InputError(f"--map …={column}: no such column; the file has {known}")
        self._fields = {name: mapping.get(name) or field_of(name) for name in names}

    def read(self, row: Mapping[str, str | None]) -> dict[str, Any]:
        """The fields of one row, as a record is written. Raises ValueError."""
        found: dict[str, Any] = {}
        for column, text in row.items():
            field = self._fields.get(column)
            if field is not None and text is not None and text.strip():
                _add(found, field, text.strip())
        return _named(found)


def parse_mapping(options: Iterable[str]) -> dict[str, str]:
    """`email=E-Mail` → column `E-Mail` is field `emails`. Raises InputError."""
    found = {}
    for option in options:
        name, equals, column = option.partition("=")
        field = field_of(name)
        if not equals or not column or field is None:
            known = ", ".join((*FIELDS, "handle_NETWORK", "consent_NETWORK"))
            raise InputError(f"--map {option}: give FIELD=COLUMN, with a field of {known}")
        found[column] = field
    return found


def field_of(name: str) -> str | None:
    """The field that a column's name means; `handle_x`, `x_handle` and `x` are handles on X."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")
    if plain in FIELDS:
        return plain
    if plain in _BY_NAME:
        return _BY_NAME[plain]
    for network in NETWORKS:
        if plain in (network, f"{network}_handle", f"handle_{network}"):
            return f"handle_{network}"
    return plain if re.fullmatch(r"(handle|consent)_[a-z0-9]+", plain) else None


def _add(found: dict[str, Any], field: str, text: str) -> None:
    kind, _, network = field.partition("_")
    if field in LISTS:
        found.setdefault(field, []).extend(_parts(text, LISTS[field]))
    elif kind == "handle":
        found.setdefault("handles", []).extend(f"{network}:{part}" for part in _parts(text, ";,"))
    elif kind == "consent":
        found.setdefault("consent", {}).update(_consent(f"{network}={text}" if network else text))
    elif field == "value":
        found[field] = text.replace(" ", "")
    else:
        found[field] = text


def _parts(text: str, separators: str) -> Iterator[str]:
    return (part.strip() for part in re.split(f"[{separators}]", text) if part.strip())


def _consent(text: str) -> Iterator[tuple[str, bool]]:
    for part in _parts(text, ";,"):
        network, _, answer = part.partition("=")
        plain = answer.strip().lower().replace("-", "_")
        if plain not in _YES:
            raise ValueError("expected NETWORK=yes or NETWORK=no - at `$.consent`")
        yield network.strip().lower(), _YES[plain]


def _named(found: dict[str, Any]) -> dict[str, Any]:
    """First and last name are one name."""
    parts = [found.pop(name, "") for name in ("first_name", "last_name")]
    if any(parts):
        found["names"] = [*found.get("names", []), " ".join(filter(None, parts))]
    return found
