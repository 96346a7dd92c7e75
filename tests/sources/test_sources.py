import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.errors import InvalidMessage
from listener.records import Forget, Mention
from listener.sources import FORMATS
from listener.sources.brands import BrandFinder, BrandNames
from listener.sources.fingerprint import fingerprint
from listener.sources.masking import LIMIT, mask, mask_bytes
from listener.sources.prepare import Preparer
from tests.worlds import mention

SEEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
GOOD: dict[str, dict[str, Any]] = {
    "canonical": {
        "id": "1",
        "network": "X",
        "author": {"id": "7", "handle": "ann"},
        "text": "hello",
        "created_at": "2026-05-04T11:59:00Z",
    },
    "airlines": {
        "id": "1", "author": "ann", "created_at": "2026-05-04T11:59:00Z", "text": "hello",
    },
    "threads": {
        "id": "2", "author": "Acme", "created_at": "2026-05-04T11:59:00Z", "text": "hi",
        "from_brand": True, "in_reply_to": "1",
    },
}  # fmt: skip
formats = pytest.mark.parametrize("name", sorted(FORMATS))


def parse(name: str, payload: Any) -> Mention:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    found = FORMATS[name](raw, observed_at=SEEN)
    assert isinstance(found, Mention)
    return found


@formats
def test_a_good_payload_becomes_a_mention_with_a_deterministic_id(name: str) -> None:
    """The id is network and native id, so that a replay lands on the same key."""
    found = parse(name, GOOD[name])
    assert found.mention_id == f"x:{GOOD[name]['id']}"
    assert found.event_time == SEEN - timedelta(minutes=1)


POISON: dict[str, Any] = {
    "no JSON": b"hello",
    "not an object": b"[1, 2]",
    "empty": b"",
    "invalid UTF-8": b'{"id": "1", "text": "\xff\xfe"}',
    "lone surrogate": json.dumps(GOOD["airlines"] | {"text": "\ud800"}).encode(),
    "missing text": {k: v for k, v in GOOD["airlines"].items() if k != "text"},
    "wrong type": GOOD["airlines"] | {"text": 5},
    "null author": GOOD["airlines"] | {"author": None},
    "empty id": GOOD["airlines"] | {"id": " "},
    "a time before time": GOOD["airlines"] | {"created_at": "0001-01-01T00:00:00Z"},
    "a time without end": GOOD["airlines"] | {"created_at": "9999-12-31T23:59:59-12:00"},
    "no time": GOOD["airlines"] | {"created_at": "yesterday"},
    "1 MB of text": GOOD["airlines"] | {"text": "a" * 1_000_001},
    "too long a text": GOOD["airlines"] | {"text": "a" * 200_000},
    "deep nesting": b'{"id":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deep nesting of an unknown field": b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
}


@formats
@pytest.mark.parametrize("kind", sorted(POISON))
def test_poison_is_refused_with_a_reason(name: str, kind: str) -> None:
    """Whatever comes in, the answer is a mention or InvalidMessage with a field path."""
    with pytest.raises(InvalidMessage) as caught:
        parse(name, POISON[kind])
    assert caught.value.reason
    assert caught.value.field.startswith("$")


@formats
@given(payload=st.binary(max_size=300))
def test_arbitrary_bytes_never_raise_anything_else(name: str, payload: bytes) -> None:
    """No payload stops a partition."""
    with suppress(InvalidMessage):
        FORMATS[name](payload, observed_at=SEEN)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@formats
@given(field=st.sampled_from(["id", "author", "text", "created_at", "network"]), value=json_values)
def test_a_good_payload_with_one_odd_field_is_taken_or_refused(
    name: str, field: str, value: Any
) -> None:
    """Field by field, too."""
    with suppress(InvalidMessage):
        parse(name, GOOD[name] | {field: value})


def test_a_time_that_cannot_be_believed_gives_way_to_the_observation() -> None:
    """Over 36 h past or 5 min ahead: the observation, marked as backfill."""
    for claimed in (SEEN - timedelta(hours=37), SEEN + timedelta(minutes=6)):
        found = parse("airlines", GOOD["airlines"] | {"created_at": claimed.isoformat()})
        assert (found.event_time, found.backfill) == (SEEN, True)


def test_a_request_to_forget_names_one_thing() -> None:
    """Exactly one of message, author and customer."""
    raw = b'{"type": "forget", "mention_id": "x:1", "reason": "deleted"}'
    assert isinstance(FORMATS["canonical"](raw, observed_at=SEEN), Forget)
    with pytest.raises(InvalidMessage):
        FORMATS["canonical"](b'{"type": "forget"}', observed_at=SEEN)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to ann.b@example.org now", "write to <email> now"),
        ("call +44 20 7946 0958 please", "call <phone> please"),
        ("my card 4111 1111 1111 1111 was charged", "my card <card> was charged"),
        ("IBAN GB29 NWBK 6016 1331 9268 19 ok", "IBAN <iban> ok"),
        ("order 12345678 on 2026-05-04 at 12:30", "order 12345678 on 2026-05-04 at 12:30"),
        ("flight 1234, 2 hours, $49.99", "flight 1234, 2 hours, $49.99"),
    ],
)
def test_what_identifies_a_person_is_masked(text: str, masked: str) -> None:
    """E-mails, phones, cards and bank accounts go before anything is stored."""
    assert mask(text) == masked


@given(st.binary(max_size=10_000))
def test_masked_bytes_of_a_dead_letter_are_bounded(raw: bytes) -> None:
    """A bad record keeps at most 4 kB, whatever it is."""
    masked, cut = mask_bytes(raw)
    assert len(masked) <= LIMIT
    assert cut or len(raw) <= LIMIT


def test_brands_are_found_by_handle_name_and_alias_but_not_by_exclusion() -> None:
    """Whole words, any case; an exclusion hides the name, never the handle."""
    finder = BrandFinder(
        [
            BrandNames(name="Delta", handles=("@delta",), exclusions=("river delta",)),
            BrandNames(name="Acme", aliases=("acme corp",)),
        ]
    )
    assert finder.find("The river delta is wide") == ()
    assert finder.find("@DELTA in the river delta") == ("Delta",)
    assert finder.find("ACME corp beats Delta") == ("Acme", "Delta")
    assert finder.find("deltas and acmes") == ()


def test_near_identical_texts_share_a_fingerprint() -> None:
    """Case, handles and links make no difference; another text does."""
    one = fingerprint("My broadband is down since this morning @acme")
    two = fingerprint("my broadband is DOWN since this morning! http://t.example/x")
    other = fingerprint("Where can I change the address of my bill?")
    assert one is not None
    assert other is not None
    assert one == two
    assert (int(one, 16) ^ int(other, 16)).bit_count() > 3
    assert fingerprint("ok thanks") is None


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("My order has still not arrived and nobody answers", "en"),
        ("Mi pedido no ha llegado todavía y nadie contesta", "es"),
        ("Die App stürzt ständig ab, bitte helfen Sie mir", "de"),
        ("アプリが動きませんので助けてください", "ja"),
        ("ok", None),
        ("😡😡😡", None),
    ],
)
def test_languages_are_told_where_they_can_be(text: str, lang: str | None) -> None:
    """Short or wordless texts stay open."""
    assert Preparer([]).prepare(mention(text=text)).lang == lang
