"""The read model's contract, on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from listener.codec import decode
from listener.errors import InputError, SettingsError
from listener.records import (
    Alert,
    Author,
    BrandRisk,
    Forget,
    HelpOffer,
    Incident,
    Interval,
    Link,
    Linked,
    SubjectStage,
)
from listener.store import (
    AlertFilter,
    AlertGone,
    MentionFilter,
    Received,
    Retention,
    Store,
    database,
)
from listener.store.rows import mention_row
from listener.store.tables import metadata
from tests.alerts import alert
from tests.databases import cleared, postgresql
from tests.worlds import NOW, labels, linked


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/model.db"
    return await cleared(request.getfixturevalue("server"))


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await Store.open(url)
    yield opened
    await opened.close()


class Feed:
    """Numbers records as a topic does."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.next = 0

    async def __call__(self, *records: object) -> None:
        received = [
            Received("t", 0, self.next + i, 1000 + self.next + i, b"k", record)
            for i, record in enumerate(records)
        ]
        self.next += len(records)
        await self.store.take(received, {("t", 0): self.next})


@pytest.fixture
def feed(store: Store) -> Feed:
    return Feed(store)


async def texts(store: Store, **wanted: Any) -> list[str]:
    page = await store.mentions.find(MentionFilter(**wanted))
    return [msgspec.json.decode(item, type=Linked).mention.text for item in page.items]


async def ids(store: Store, **wanted: Any) -> list[str]:
    return [a.alert_id for a in (await store.alerts.find(AlertFilter(**wanted))).items]


async def test_the_newest_version_of_an_alert_wins_in_any_order(store: Store, feed: Feed) -> None:
    """A replay, and late writers, never bring an old state back."""
    versions = [alert(version=n, snippet=f"v{n}") for n in range(1, 6)]
    random.Random(7).shuffle(versions)
    await feed(*versions[:2])
    await feed(*versions[2:], versions[0])
    found = await store.alerts.get("a1")
    assert found is not None
    assert msgspec.json.decode(found.record)["snippet"] == "v5"


async def test_alerts_come_by_priority_then_due_time_page_by_page(store: Store, feed: Feed) -> None:
    """The inbox's order; a page that is asked for later does not shift."""
    due = {"a": 3, "b": 1, "c": 2}
    await feed(
        *(alert(name, due_at=NOW + timedelta(hours=h)) for name, h in due.items()),
        alert("d", priority="P1"),
        alert("e", state="resolved", resolved_at=NOW),
    )
    first = await store.alerts.find(AlertFilter(), limit=2)
    assert [a.alert_id for a in first.items] == ["d", "b"]
    await feed(alert("f", priority="P1"))
    second = await store.alerts.find(AlertFilter(), cursor=first.next, limit=2)
    assert [a.alert_id for a in second.items] == ["c", "a"]
    assert second.next is None
    assert await ids(store, state="closed") == ["e"]
    assert (await store.alerts.counts())["all"] == 5
    with pytest.raises(InputError, match="cursor"):
        await store.alerts.find(AlertFilter(), cursor="bm9uc2Vuc2U")


async def test_alerts_are_chosen_by_what_they_and_their_messages_have(
    store: Store, feed: Feed
) -> None:
    """Brand, issue, channel, receiver, assignee; a tombstone takes an alert away."""
    await feed(
        linked(1, channel="support"),
        alert("a", receivers=("desk",), assignee="ann"),
        alert("b", brand="Bolt", issue="outage", evidence=("x:2",)),
    )
    assert await ids(store, channel="support") == ["a"]
    assert await ids(store, receiver="desk") == ["a"]
    assert await ids(store, assignee="ann", brand="Acme") == ["a"]
    assert await ids(store, issue="outage") == ["b"]
    await feed(AlertGone("a"))
    assert await ids(store) == ["b"]


async def test_an_alert_is_unread_until_it_is_seen_and_again_when_it_presses_more(
    store: Store, feed: Feed
) -> None:
    """More evidence does not make it unread; a higher priority does."""
    await feed(alert(priority="P3"))
    await store.mark_seen(actor="ann", alert_id="a1")
    await feed(alert(priority="P3", version=2))
    assert (await store.alerts.counts(actor="ann"))["unread"] == 0
    assert (await store.alerts.counts(actor="bob"))["unread"] == 1
    await feed(alert(priority="P1", version=3))
    assert (await store.alerts.counts(actor="ann"))["unread"] == 1


async def test_search_finds_words_in_any_script_newest_first(store: Store, feed: Feed) -> None:
    """All words must be there; a star ends the beginning of one; signs are harmless."""
    await feed(
        linked(1, text="The router, is on FIRE!", at=NOW),
        linked(2, text="router fine now", at=NOW + timedelta(hours=1)),
        linked(3, text="Интернет не работает https://norvia.example/router-x"),
    )
    assert (await texts(store, q="router"))[0] == "router fine now"
    assert len(await texts(store, q="router")) == 3
    assert await texts(store, q="fire ROUTER") == ["The router, is on FIRE!"]
    assert await texts(store, q="rout* fin*") == ["router fine now"]
    assert len(await texts(store, q="интернет")) == 1
    for harmless in ('"', "'; --", "a & b | !", "NEAR(", "***", "\\", ":*"):
        await texts(store, q=harmless)


async def test_mentions_are_pages_of_filters_and_ranges(store: Store, feed: Feed) -> None:
    """Cursor after cursor gives each once, newest first."""
    await feed(
        *(linked(n, text=f"m{n}", at=NOW + timedelta(minutes=n)) for n in range(10)),
        linked(20, text="other", brands=("Bolt",), judged=labels(issue="outage")),
    )
    found, cursor = [], None
    while True:
        page = await store.mentions.find(MentionFilter(brand="Acme"), cursor=cursor, limit=4)
        found += [msgspec.json.decode(r, type=Linked).mention.text for r in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert found == [f"m{n}" for n in reversed(range(10))]
    assert await texts(store, issue="outage") == ["other"]
    since = (NOW + timedelta(minutes=8)).timestamp()
    assert await texts(store, since=since) == ["m9", "m8"]


async def test_what_comes_again_counts_once_and_what_changes_moves(
    store: Store, feed: Feed
) -> None:
    """The sums by hour are those of the mentions, whatever comes twice or is judged anew."""
    await feed(linked(1), linked(1), linked(2))
    await feed(linked(1), linked(2, judged=labels(issue="outage", negative=0.1)))
    at, hour = NOW.timestamp(), int(NOW.timestamp() // 3600)
    reads = store.figures
    issues = await reads.issues("Acme", since=at, until=at, step=1)
    assert sorted(issues) == [(hour, "billing", 1), (hour, "outage", 1)]
    assert await reads.heard("Acme", since=at, until=at, step=1) == {hour: (2, 1)}
    assert await reads.voices(since=at, until=at) == {"Acme": (2, 1)}
    assert await store.mentions.count() == 2


async def test_offsets_move_with_the_data_and_what_was_taken_is_skipped(store: Store) -> None:
    """Two processes may read the same topics: each record is applied once."""
    one = Received("t", 0, 4, 1, None, alert(version=9, snippet="first"))
    await store.take([one], {("t", 0): 5})
    again = Received("t", 0, 4, 1, None, alert(version=9, snippet="again"))
    await store.take([again], {("t", 0): 5})
    found = await store.alerts.get("a1")
    assert found is not None
    assert b"first" in found.record
    assert await store.ledger.offsets() == {("t", 0): 5}
    await store.rewind(("t", 0))
    assert await store.ledger.offsets() == {}


async def test_a_failure_leaves_neither_data_nor_offset(store: Store) -> None:
    """Both or neither."""
    good = Received("t", 0, 1, 1, None, linked(1))
    broken = msgspec.structs.replace(alert(), alert_id=None)
    with pytest.raises(Exception, match="alert_id"):
        await store.take([good, Received("t", 0, 2, 1, None, broken)], {("t", 0): 3})
    assert await store.mentions.count() == 0
    assert await store.ledger.offsets() == {}


def risk(brand: str = "Acme", minutes: int = 0, **changes: Any) -> BrandRisk:
    fields: dict[str, Any] = {
        "brand": brand,
        "at": NOW + timedelta(minutes=minutes),
        "brand_risk": float(minutes),
        "burn": {"1h": 1.0, "24h": 1.0},
        "significance": {},
        "mentions_24h": 9,
        "negative_share": 0.5,
        "negative_interval": Interval(low=0.4, high=0.6),
    }
    return BrandRisk(**(fields | changes))


async def test_figures_have_a_history_of_steps_and_incidents(store: Store, feed: Feed) -> None:
    """Of each five minutes the last is kept; an incident is known by its newest figures."""
    burst = Incident(incident_id="i1", kind="page", started_at=NOW, peak_burn=14.0)
    over = msgspec.structs.replace(burst, ended_at=NOW + timedelta(hours=1))
    await feed(risk(), risk(minutes=1), risk(minutes=6, incident=burst))
    await feed(risk(minutes=90, incident=over), risk("Bolt"))
    span = {"since": NOW.timestamp(), "until": NOW.timestamp() + 7200}
    assert len(await store.figures.history("Acme", step=300, **span)) == 3
    assert len(await store.figures.history("Acme", step=3600, **span)) == 2
    assert list(await store.figures.brands()) == ["Acme", "Bolt"]
    assert [i.peak for i in await store.figures.incidents("Acme", **span)] == [14.0]


async def test_forgotten_text_is_gone_from_tables_search_alerts_and_disk(
    url: str, store: Store, feed: Feed, tmp_path: Path
) -> None:
    """By message, author or customer, also where the deletion came first."""
    known = Link(customer_id="c1", tier="T2", probability=1.0)
    await feed(
        linked(1, text="xylophonic secret", link=known),
        alert(snippet="xylophonic secret", evidence=("x:1",), link=known),
    )
    await feed(Forget(mention_id="x:1", reason="deleted", requested_at=NOW))
    await store.scrub()
    assert await texts(store, q="xylophonic") == []
    found = await store.alerts.get("a1")
    assert found is not None
    assert b"xylophonic" not in found.record
    if url.startswith("sqlite"):
        held = b"".join(path.read_bytes() for path in tmp_path.glob("model.db*"))
        assert b"xylophonic" not in held
    await feed(linked(1, text="again"), alert(version=2, snippet="xylophonic", evidence=("x:1",)))
    assert await texts(store) == []
    again = await store.alerts.get("a1")
    assert again is not None
    assert b"xylophonic" not in again.record
    await feed(linked(3, text="theirs"), alert("a3", evidence=("x:3",)))
    await feed(Forget(author="x:ann", reason="erased", requested_at=NOW))
    assert await texts(store) == []
    gone = await store.alerts.get("a3")
    assert gone is not None
    assert b"x:ann" not in gone.record


async def test_a_deletion_is_outstanding_until_it_is_off_the_disk(store: Store, feed: Feed) -> None:
    """One for each request, whatever else goes with it; a newer request counts again."""
    await feed(linked(1), Forget(author="x:ann", reason="erased", requested_at=NOW))
    assert await store.ledger.outstanding() == (1, NOW.timestamp())
    await store.scrub()
    assert await store.ledger.outstanding() == (0, None)
    later = NOW + timedelta(days=1)
    await feed(Forget(author="x:ann", reason="erased", requested_at=later))
    assert await store.ledger.outstanding() == (1, later.timestamp())


def stage(kind: Any = "at_risk", **changes: Any) -> SubjectStage:
    fields = {"subject": "x:ann", "stage": kind, "since": NOW, "reasons": ("churn",)}
    return msgspec.convert(fields | changes, SubjectStage)


def help_offer(**changes: Any) -> HelpOffer:
    fields = {"offer_id": "o", "customer_id": "c1", "kind": "education", "issue": "product",
              "reason": "asked again", "at": NOW}  # fmt: skip
    return msgspec.convert(fields | changes, HelpOffer)


async def test_a_stage_is_what_the_life_cycle_told_in_either_order(
    store: Store, feed: Feed
) -> None:
    """Messages bring who it is; they know less of the stage."""
    await feed(stage(), linked(1), linked(2))
    assert await store.figures.stages() == {"at_risk": 1}
    [ann] = await store.figures.people("at_risk")
    assert (ann.handle, ann.at) == ("ann", NOW.timestamp())
    await feed(stage("adopting", stuck=True), linked(3, at=NOW + timedelta(hours=1)))
    assert await store.figures.stages() == {"adopting": 1}
    assert await store.figures.people("adopting", stuck=False) == []
    assert len(await store.figures.people("adopting", stuck=True)) == 1


async def test_of_whom_is_forgotten_neither_stage_nor_offer_comes_back(
    store: Store, feed: Feed
) -> None:
    """But what they do afterwards counts."""
    await feed(help_offer(), stage(subject="customer:c1"))
    assert [o.reason for o in await store.figures.offers(since=0)] == ["asked again"]
    await feed(Forget(customer_id="c1", reason="erased", requested_at=NOW))
    await feed(help_offer(), stage(subject="customer:c1"))
    assert await store.figures.offers(since=0) == []
    assert await store.figures.stages() == {}
    later = NOW + timedelta(days=1)
    await feed(help_offer(at=later), stage(subject="customer:c1", since=later))
    assert len(await store.figures.offers(since=0)) == 1
    assert await store.figures.stages() == {"at_risk": 1}


async def test_the_first_tables_are_carried_over(tmp_path: Path) -> None:
    """Sums by hour are made of the volumes that revision 1 kept, and the search still finds."""
    url = f"sqlite:///{tmp_path}/old.db"
    engine = database.connect(database.read_url(url), writes=True)
    async with engine.begin() as connection:
        await connection.run_sync(database.upgrade, "0001")
        row = mention_row(linked(1, text="slow router"), written=1)
        names = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        await connection.execute(text(f"INSERT INTO mentions ({names}) VALUES ({values})"), row)
        cells = [{"s": "neg", "n": 3}, {"s": "pos", "n": 2}]
        await connection.execute(
            text("INSERT INTO volumes VALUES ('Acme', 5, 'billing', :s, :n)"), cells
        )
    await engine.dispose()
    store = await Store.open(url)
    assert await store.figures.heard("Acme", since=18_000, until=18_000, step=1) == {5: (5, 3)}
    assert await store.figures.issues("Acme", since=18_000, until=18_000, step=1) == [
        (5, "billing", 5)
    ]
    assert len((await store.mentions.find(MentionFilter(q="rou*"))).items) == 1
    await store.close()


async def test_a_forgotten_author_leaves_a_customers_other_messages(
    store: Store, feed: Feed
) -> None:
    """Theirs go from the customer's alerts, also as an older version has them; the rest stays."""
    ann, bob = Author(id="ann", handle="ann"), Author(id="bob", handle="bob")
    known = {
        "link": Link(customer_id="c1", tier="T2", evidence=("x:@ann",)),
        "subject": "customer:c1",
    }
    both = alert("a1", subject="customer:c1", evidence=("x:1", "x:2"), snippet="of ann")
    other = alert("a2", subject="customer:c1", evidence=("x:2",), snippet="of bob")
    await feed(
        *(
            msgspec.structs.replace(linked(n, text=f"of {a.id}", author=a), **known)
            for n, a in ((1, ann), (2, bob))
        ),
        both,
        other,
    )
    await feed(Forget(author="x:ann", reason="erased", requested_at=NOW))
    assert await texts(store) == ["of bob"]
    found = [await store.alerts.get(name) for name in ("a1", "a2")]
    first, second = (decode(one.record, Alert) for one in found if one is not None)
    assert (first.subject, first.evidence, first.snippet) == ("customer:c1", ("x:2",), None)
    assert second == other
    await feed(msgspec.structs.replace(both, version=2))
    again = await store.alerts.get("a1")
    assert again is not None
    assert b"of ann" not in again.record
    told = msgspec.structs.replace(both, version=3, evidence=("x:2",), snippet="of bob")
    await feed(told)
    last = await store.alerts.get("a1")
    assert last is not None
    assert decode(last.record, Alert) == told


async def test_retention_counts_back_from_the_newest_message(store: Store, feed: Feed) -> None:
    """So that a replay of an old year is not swept away at once."""
    await feed(linked(1, text="old", at=NOW - timedelta(days=40)), linked(2, text="new"))
    await store.prune(Retention(mentions=30), now=NOW + timedelta(days=400))
    assert await texts(store) == ["new"]


async def test_a_rebuild_empties_what_came_from_topics_only(store: Store, feed: Feed) -> None:
    """Who did what stays."""
    await feed(linked(1), alert())
    await store.note(at=NOW, actor="ann", role="support", what="resolve", target="a1")
    await store.empty()
    assert await store.mentions.count() == 0
    assert await store.ledger.offsets() == {}
    assert [deed.actor for deed in (await store.ledger.deeds()).items] == ["ann"]


async def test_migrations_make_the_tables_that_the_code_knows(store: Store) -> None:
    """And opening again changes nothing."""

    def differences(connection: Connection) -> list[Any]:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
        # Full-text search is each database's own and unknown to the metadata.
        own = ("mentions_", "TSVECTOR")
        return [
            each
            for each in found
            if not any(name in str(each) for name in own) or "add" in str(each[0])
        ]

    async with store._reader.connect() as connection:
        assert await connection.run_sync(differences) == []


@pytest.mark.parametrize(
    "bad", ["nonsense", "mysql://x/y", "sqlite://", "sqlite:////no/such/dir/x"]
)
async def test_a_bad_url_names_the_setting_and_the_remedy(bad: str) -> None:
    """Never a bare traceback."""
    with pytest.raises(SettingsError, match="LISTENER_DATABASE"):
        await Store.open(bad)


async def test_a_password_is_never_told() -> None:
    with pytest.raises(SettingsError) as caught:
        await Store.open("postgresql://u:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)
