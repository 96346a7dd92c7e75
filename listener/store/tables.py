"""Tables of the read model. Each row keeps its record whole, beside what is asked for.

Times are seconds since 1970. `mentions.id` begins with the event time, so that one index gives
order, pages and ranges of time; what begins it is told by `first_id`. `hours` and `issue_hours`
are sums over mentions, kept in the same transaction. `subjects.told`: when the life cycle told of
the stage, milliseconds since 1970; 0 where only messages have. `forgotten.scrubbed`:
off the disk, too.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

ID_SHIFT: Final = 22
"""Bits of `mentions.id` under its milliseconds: enough to tell those of one moment apart."""
BUCKET: Final = 300
"""Seconds: of a brand's figures within it the last is kept."""
NO_DUE: Final = 1e12
"""Stands for no due time, after every real one."""

metadata = MetaData()

mentions = Table(
    "mentions",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("mention_id", String, nullable=False, unique=True),
    Column("version", Float, nullable=False),
    Column("written", BigInteger, nullable=False),
    Column("subject", String, nullable=False),
    Column("customer_id", String),
    Column("author", String, nullable=False),
    Column("thread", String, nullable=False),
    Column("brand", String, nullable=False),
    Column("brands", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("network", String, nullable=False),
    Column("issue", String, nullable=False),
    Column("sentiment", String, nullable=False),
    Column("hour", Integer, nullable=False),
    Column("words", Text, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Index("mentions_brand", "brand", "id"),
    Index("mentions_issue", "issue", "id"),
    Index("mentions_sentiment", "sentiment", "id"),
    Index("mentions_channel", "channel", "id"),
    Index("mentions_subject", "subject", "id"),
    Index("mentions_author", "author", "id"),
    Index("mentions_customer", "customer_id", "id"),
    Index("mentions_thread", "thread", "id"),
)

hours = Table(
    "hours",
    metadata,
    Column("brand", String, primary_key=True),
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
    Column("negative", Integer, nullable=False),
    sqlite_with_rowid=False,
)

issue_hours = Table(
    "issue_hours",
    metadata,
    Column("brand", String, primary_key=True),
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("issue", String, primary_key=True),
    Column("count", Integer, nullable=False),
    sqlite_with_rowid=False,
)

subjects = Table(
    "subjects",
    metadata,
    Column("subject", String, primary_key=True),
    Column("version", Float, nullable=False),
    Column("stage", String, nullable=False),
    Column("segment", String, nullable=False),
    Column("customer_id", String),
    Column("handle", String),
    Column("told", BigInteger, nullable=False, server_default="0"),
    Column("stuck", Boolean, nullable=False, server_default=false()),
    Index("subjects_stage", "stage", "version"),
    Index("subjects_customer", "customer_id"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("mark", Integer, nullable=False),
    Column("brand", String, nullable=False),
    Column("issue", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("assignee", String),
    Column("receivers", String, nullable=False),
    Column("first", String, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Index("alerts_inbox", "state", "rank", "due_at"),
    Index("alerts_subject", "subject", "opened_at"),
    Index("alerts_changed", "changed_at"),
)

brand_risk = Table(
    "brand_risk",
    metadata,
    Column("brand", String, primary_key=True),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("version", Float, nullable=False),
    Column("risk", Float, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("incident_id", String, primary_key=True),
    Column("version", Float, nullable=False),
    Column("brand", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("peak", Float, nullable=False),
    Index("incidents_brand", "brand", "started_at"),
)

fit_signals = Table(
    "fit_signals",
    metadata,
    Column("key", String, primary_key=True),
    Column("version", Float, nullable=False),
    Column("written", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

offers = Table(
    "offers",
    metadata,
    Column("customer_id", String, primary_key=True),
    Column("version", Float, nullable=False),
    Column("kind", String, nullable=False),
    Column("reason", String, nullable=False),
    Index("offers_version", "version"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("letter_id", String, primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("stage", String, nullable=False),
    Column("raw_key", LargeBinary),
    Column("record", LargeBinary, nullable=False),
)

offsets = Table(
    "offsets",
    metadata,
    Column("topic", String, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),
)

forgotten = Table(
    "forgotten",
    metadata,
    Column("digest", String, primary_key=True),
    Column("at", Float, nullable=False),
    Column("scrubbed", Boolean, nullable=False, server_default=false()),
    Index("forgotten_scrubbed", "scrubbed", "at"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Float, nullable=False, index=True),
    Column("actor", String, nullable=False),
    Column("role", String, nullable=False),
    Column("what", String, nullable=False),
    Column("target", String, nullable=False),
    Column("detail", String, nullable=False),
)

seen = Table(
    "seen",
    metadata,
    Column("actor", String, primary_key=True),
    Column("alert_id", String, primary_key=True),
    Column("mark", Integer, nullable=False),
)

PROJECTED: Final = (
    mentions,
    hours,
    issue_hours,
    subjects,
    alerts,
    brand_risk,
    incidents,
    fit_signals,
    offers,
    dead_letters,
    offsets,
    forgotten,
)
"""What a rebuild empties; who did what, and who has seen what, stays."""
