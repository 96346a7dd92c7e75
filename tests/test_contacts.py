import hmac
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.contacts import Contacts, email_of, phone_of
from listener.errors import InvalidMessage
from listener.records import Hints
from tests.directories import KEY
from tests.worlds import mention

LOCAL = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9._+-]{0,12}[A-Za-z0-9])?", fullmatch=True).filter(
    lambda text: ".." not in text
)
ADDRESS = st.tuples(LOCAL, st.sampled_from(["mail.example", "Mail.Example", "müller.example"]))


@given(ADDRESS, st.booleans())
def test_every_spelling_of_an_address_is_one(address: tuple[str, str], upper: bool) -> None:
    """Case and blanks around it say nothing; normalising again changes nothing."""
    text = "@".join(address)
    normal = email_of(text)
    assert email_of(normal) == normal
    assert email_of(f"  {text.upper() if upper else text} ") == normal


@given(
    st.integers(1_510_000_0000, 1_519_999_9999),
    st.sampled_from(["+49 {}", "0{}", "0049 {}", "(0{})"]),
)
def test_every_spelling_of_a_number_is_one(number: int, form: str) -> None:
    """With the country or, where the deployment has one, without."""
    text = str(number)
    spaced = form.format(f"{text[:3]} {text[3:]}")
    assert phone_of(spaced, region="DE") == f"+49{text}"
    assert phone_of(f"+49{text}") == f"+49{text}"


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_an_error_that_does_not_repeat_it(text: str) -> None:
    """Errors go to logs and dead letters."""
    try:
        assert "@" in email_of(text)
    except InvalidMessage as error:
        assert error.reason == "not an e-mail address"


def test_a_national_number_needs_a_region() -> None:
    """The remedy is named, the number is not."""
    with pytest.raises(InvalidMessage, match="set LISTENER_PHONE_REGION"):
        phone_of("0171 2345678")


def test_hashes_are_those_that_the_documents_tell_other_systems_to_make() -> None:
    """HMAC-SHA256 of the normalised address or number, in hex."""
    contacts = Contacts(KEY, region="DE")
    for made, text in (
        (contacts.email("Ann@Mail.example"), "ann@mail.example"),
        (contacts.phone("0171 2345678"), "+491712345678"),
    ):
        assert made == hmac.new(KEY.encode(), text.encode(), sha256).hexdigest()


def test_a_hint_in_plain_becomes_a_hash_before_anything_is_stored() -> None:
    """What is no address says nothing, and does not lose the message."""
    contacts = Contacts(KEY, region="DE")
    hints = contacts.prepared(mention(hints=Hints(email="A@b.example", phone="nope"))).hints
    assert hints == Hints(email_hash=contacts.email("a@b.example"))


def test_without_a_key_one_warning_says_what_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A hash without a key can be guessed from a list of numbers."""
    contacts = Contacts(None)
    for _ in range(3):
        assert contacts.prepared(mention(hints=Hints(email="a@b.example"))).hints == Hints()
    assert [r.message.split()[0] for r in caplog.records] == ["LISTENER_IDENTITY_KEY"]
