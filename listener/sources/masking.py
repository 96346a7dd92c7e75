"""Masks what identifies a person beside their handle: e-mails, phones, cards, bank accounts."""

from __future__ import annotations

import re
from typing import Final

LIMIT: Final = 4096
"""Bytes of a bad record that are kept."""

EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
_DIGITS: Final = re.compile(r"(?<![\w/#])\+?\(?\d(?:[\d\-. ()]{5,24})\d(?!\w)")


def mask(text: str) -> str:
    """The text with `<email>`, `<iban>`, `<card>` and `<phone>` in their places.

    A number is a card if it has 13 to 19 digits and passes Luhn's check, a phone if it has 9 to 15
    or starts with +; dates and order numbers of fewer digits stay.
    """
    if "@" in text:
        text = EMAIL.sub("<email>", text)
    if not any(c.isdigit() for c in text):
        return text
    return _DIGITS.sub(_number, _IBAN.sub("<iban>", text))


def mask_bytes(raw: bytes) -> tuple[bytes, bool]:
    """Masked bytes of a bad record, cut to LIMIT, and whether they were cut."""
    text = raw[: 2 * LIMIT].decode("utf-8", "backslashreplace")
    masked = mask(text).encode("utf-8", "backslashreplace")
    return masked[:LIMIT], len(raw) > LIMIT or len(masked) > LIMIT


def _number(match: re.Match[str]) -> str:
    digits = [int(c) for c in match[0] if c.isdigit()]
    if 13 <= len(digits) <= 19 and _passes_luhn(digits):
        return "<card>"
    long = 9 <= len(digits) <= 15
    international = match[0].startswith("+") and len(digits) >= 7
    return "<phone>" if (long and _looks_dialled(match[0])) or international else match[0]


def _looks_dialled(text: str) -> bool:
    """Not a timestamp, and not one long order number."""
    return any(c in text for c in "-. ()+") or text.startswith("0")


def _passes_luhn(digits: list[int]) -> bool:
    doubled = [2 * d - 9 * (d > 4) for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
