import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.columns import field_of, parse_mapping
from listener.contacts import Contacts
from listener.customers import Row, read_customers
from listener.errors import InputError
from listener.records import Customer
from tests.directories import KEY

CONTACTS = Contacts(KEY, region="DE")


def rows(path: Path, content: str, *mapping: str) -> list[Row]:
    path.write_text(content, encoding="utf-8")
    return list(read_customers(path, mapping=parse_mapping(mapping), seal=CONTACTS.sealed))


def customers(found: list[Row]) -> list[Customer]:
    return [row.customer for row in found if row.customer is not None]


def test_a_crm_export_is_read_with_its_own_column_names(tmp_path: Path) -> None:
    """Aliases where they are plain, --map where they are not; separators `;` in the file too."""
    found = rows(
        tmp_path / "crm.csv",
        "\ufeffKundennr;Vorname;Nachname;E-Mail;Mobile;Twitter;Consent X;Acquired at;City;Spam\n"
        'C1;Ann;Ash;"Ann@Mail.example, a2@mail.example";0171 2345678;@ann;yes;2026-01-02;Bonn;?\n',
        "id=Kundennr", "first_name=Vorname", "last_name=Nachname",
    )  # fmt: skip
    emails = (CONTACTS.email("ann@mail.example"), CONTACTS.email("a2@mail.example"))
    assert customers(found) == [
        Customer(
            customer_id="C1",
            since=datetime(2026, 1, 2, tzinfo=UTC),
            names=("Ann Ash",),
            email_hashes=tuple(map(str, emails)),
            phone_hashes=(str(CONTACTS.phone("+491712345678")),),
            handles=("twitter:@ann",),
            consent={"x": True},
            location="Bonn",
        )
    ]


def test_json_lines_take_the_record_as_it_is(tmp_path: Path) -> None:
    """Days and times without a zone count as UTC's."""
    line = {"customer_id": "C1", "since": "2026-01-02", "value": 5, "consent": {"x": False}}
    (found,) = customers(rows(tmp_path / "c.jsonl", json.dumps(line) + "\n\n"))
    assert (found.since, found.value) == (datetime(2026, 1, 2, tzinfo=UTC), 5.0)
    assert found.consent == {"x": False}


def test_bad_rows_have_line_and_reason_and_good_ones_are_kept(tmp_path: Path) -> None:
    """Neither a bad address nor a broken line stops the file, and no address is repeated."""
    found = rows(
        tmp_path / "c.csv",
        "id,since,email,value\n"
        "C1,2026-01-01,a@b.example,1\n"
        "C2,soon,,\n"
        "C3,2026-01-01,nobody,\n"
        "C4,2026-01-01,,much\n"
        ",2026-01-01,,\n"
        "C6,2026-01-01,,,,\n"
        '"C7\nx",2026-01-01,,\n',
    )
    faults = [(row.line, row.fault) for row in found if row.fault]
    assert [line for line, _ in faults] == [3, 4, 5, 6, 7]
    assert faults[1] == (4, "$.emails[0]: not an e-mail address")
    assert "$.value" in str(faults[2][1])
    assert "customer_id" in str(faults[3][1])
    assert [c.customer_id for c in customers(found)] == ["C1", "C7\nx"]


@pytest.mark.parametrize(("name", "content"), [
    ("c.jsonl", '{"customer_id": "C1", "erase": true}\n'),
    ("c.csv", "id,erase,since\nC1,yes,\n"),
])  # fmt: skip
def test_a_row_may_erase(tmp_path: Path, name: str, content: str) -> None:
    """An id and no customer: a tombstone."""
    (row,) = rows(tmp_path / name, content)
    assert (row.customer_id, row.customer, row.fault) == ("C1", None, None)


@given(st.binary(max_size=200))
def test_no_content_stops_the_reading(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """Any line of JSON lines is a customer or a fault; a file of no text says so."""
    path = tmp_path_factory.mktemp("any") / "c.jsonl"
    path.write_bytes(raw)
    found = list(read_customers(path, mapping={}, seal=CONTACTS.sealed))
    assert all(row.fault or row.customer for row in found)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    """File, mapping and column, each with what to do."""
    with pytest.raises(InputError, match=r"give a \.csv or a \.jsonl"):
        rows(tmp_path / "c.xlsx", "")
    with pytest.raises(InputError, match="give FIELD=COLUMN"):
        parse_mapping(["colour=Farbe"])
    with pytest.raises(InputError, match="the file has id, since"):
        rows(tmp_path / "c.csv", "id,since\n", "email=E-Mail")


def test_column_names_mean_fields() -> None:
    """Case and punctuation say nothing."""
    named = ["E-Mail", "Customer No.", "X handle", "consent_mastodon", "Acquisition Source", "xyz"]
    assert [field_of(name) for name in named] == [
        "emails", "customer_id", "handle_x", "consent_mastodon", "source", None,
    ]  # fmt: skip


def test_a_large_file_is_read_row_by_row(tmp_path: Path) -> None:
    """Memory does not grow with the file."""
    path = tmp_path / "c.csv"
    lines = (f"C{n},2026-01-01,ann{n}@mail.example" for n in range(20_000))
    path.write_text("id,since,email\n" + "\n".join(lines), encoding="utf-8")
    tracemalloc.start()
    count = sum(1 for _ in read_customers(path, mapping={}, seal=CONTACTS.sealed))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 2_000_000
