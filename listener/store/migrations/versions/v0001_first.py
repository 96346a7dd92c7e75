"""The first read model: mentions, alerts, figures, offsets, and who did what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SEARCH = """
CREATE VIRTUAL TABLE mentions_fts USING fts5(
    words, content='mentions', content_rowid='id', detail='none', columnsize=0,
    tokenize="unicode61 remove_diacritics 0"
)
"""
TRIGGERS = (
    """
CREATE TRIGGER mentions_added AFTER INSERT ON mentions BEGIN
    INSERT INTO mentions_fts(rowid, words) VALUES (new.id, new.words);
END
""",
    """
CREATE TRIGGER mentions_gone AFTER DELETE ON mentions BEGIN
    INSERT INTO mentions_fts(mentions_fts, rowid, words) VALUES ('delete', old.id, old.words);
END
""",
    """
CREATE TRIGGER mentions_changed AFTER UPDATE OF words ON mentions
WHEN old.words IS NOT new.words BEGIN
    INSERT INTO mentions_fts(mentions_fts, rowid, words) VALUES ('delete', old.id, old.words);
    INSERT INTO mentions_fts(rowid, words) VALUES (new.id, new.words);
END
""",
)


def upgrade() -> None:
    _alerts()
    _audit()
    _brand_risk()
    _dead_letters()
    _fit_signals()
    _forgotten()
    _incidents()
    _mentions()
    _offsets()
    _seen()
    _subjects()
    _volumes()
    if op.get_bind().dialect.name == "sqlite":
        for statement in (SEARCH, *TRIGGERS):
            op.get_bind().exec_driver_sql(statement)
    else:
        op.execute(
            "CREATE INDEX mentions_words ON mentions USING gin (to_tsvector('simple', words))"
        )


def _alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.String(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("mark", sa.Integer(), nullable=False),
        sa.Column("brand", sa.String(), nullable=False),
        sa.Column("issue", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("assignee", sa.String()),
        sa.Column("receivers", sa.String(), nullable=False),
        sa.Column("first", sa.String(), nullable=False),
        sa.Column("opened_at", sa.Float(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
    )
    op.create_index("alerts_changed", "alerts", ["changed_at"])
    op.create_index("alerts_inbox", "alerts", ["state", "rank", "due_at"])
    op.create_index("alerts_subject", "alerts", ["subject", "opened_at"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
    )
    op.create_index("ix_audit_at", "audit", ["at"])


def _brand_risk() -> None:
    op.create_table(
        "brand_risk",
        sa.Column("brand", sa.String(), primary_key=True),
        sa.Column("bucket", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("version", sa.Float(), nullable=False),
        sa.Column("risk", sa.Float(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
    )


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("letter_id", sa.String(), primary_key=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("raw_key", sa.LargeBinary()),
        sa.Column("record", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_dead_letters_at", "dead_letters", ["at"])


def _fit_signals() -> None:
    op.create_table(
        "fit_signals",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("version", sa.Float(), nullable=False),
        sa.Column("written", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
    )


def _forgotten() -> None:
    op.create_table(
        "forgotten",
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("at", sa.Float(), nullable=False),
    )


def _incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("incident_id", sa.String(), primary_key=True),
        sa.Column("version", sa.Float(), nullable=False),
        sa.Column("brand", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float()),
        sa.Column("peak", sa.Float(), nullable=False),
    )
    op.create_index("incidents_brand", "incidents", ["brand", "started_at"])


def _mentions() -> None:
    op.create_table(
        "mentions",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("mention_id", sa.String(), nullable=False, unique=True),
        sa.Column("version", sa.Float(), nullable=False),
        sa.Column("written", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String()),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("thread", sa.String(), nullable=False),
        sa.Column("brand", sa.String(), nullable=False),
        sa.Column("brands", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("issue", sa.String(), nullable=False),
        sa.Column("sentiment", sa.String(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
    )
    op.create_index("mentions_author", "mentions", ["author", "id"])
    op.create_index("mentions_brand", "mentions", ["brand", "id"])
    op.create_index("mentions_customer", "mentions", ["customer_id", "id"])
    op.create_index("mentions_issue", "mentions", ["issue", "id"])
    op.create_index("mentions_sentiment", "mentions", ["sentiment", "id"])
    op.create_index("mentions_channel", "mentions", ["channel", "id"])
    op.create_index("mentions_subject", "mentions", ["subject", "id"])
    op.create_index("mentions_thread", "mentions", ["thread", "id"])


def _offsets() -> None:
    op.create_table(
        "offsets",
        sa.Column("topic", sa.String(), primary_key=True),
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
    )


def _seen() -> None:
    op.create_table(
        "seen",
        sa.Column("actor", sa.String(), primary_key=True),
        sa.Column("alert_id", sa.String(), primary_key=True),
        sa.Column("mark", sa.Integer(), nullable=False),
    )


def _subjects() -> None:
    op.create_table(
        "subjects",
        sa.Column("subject", sa.String(), primary_key=True),
        sa.Column("version", sa.Float(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String()),
        sa.Column("handle", sa.String()),
    )
    op.create_index("subjects_stage", "subjects", ["stage", "version"])


def _volumes() -> None:
    op.create_table(
        "volumes",
        sa.Column("brand", sa.String(), primary_key=True),
        sa.Column("hour", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("issue", sa.String(), primary_key=True),
        sa.Column("sentiment", sa.String(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
    )
