"""Sums by hour, a search index for beginnings of words, offers and stages of people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

HOURS = """
INSERT INTO hours (brand, hour, count, negative)
SELECT brand, hour, sum(count), sum(CASE WHEN sentiment = 'neg' THEN count ELSE 0 END)
FROM volumes GROUP BY brand, hour
"""
ISSUES = """
INSERT INTO issue_hours (brand, hour, issue, count)
SELECT brand, hour, issue, sum(count) FROM volumes GROUP BY brand, hour, issue
"""
SEARCH = {
    "sqlite": (
        "DROP TABLE mentions_fts",
        """
CREATE VIRTUAL TABLE mentions_fts USING fts5(
    words, content='mentions', content_rowid='id', detail='none', columnsize=0,
    prefix='1 2 3 4 5 6', tokenize="unicode61 remove_diacritics 0"
)
""",
        "INSERT INTO mentions_fts(mentions_fts) VALUES ('rebuild')",
    ),
    # Kept beside the words: made anew for each row that is looked at it costs more than the row.
    "postgresql": (
        "DROP INDEX mentions_words",
        "ALTER TABLE mentions ADD COLUMN terms tsvector "
        "GENERATED ALWAYS AS (to_tsvector('simple', words)) STORED",
        "CREATE INDEX mentions_words ON mentions USING gin (terms)",
    ),
}


def upgrade() -> None:
    _sums()
    _people()
    op.add_column(
        "forgotten", sa.Column("scrubbed", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_index("forgotten_scrubbed", "forgotten", ["scrubbed", "at"])
    for statement in SEARCH[op.get_bind().dialect.name]:
        op.get_bind().exec_driver_sql(statement)


def _sums() -> None:
    op.create_table(
        "hours",
        sa.Column("brand", sa.String(), primary_key=True),
        sa.Column("hour", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("negative", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "issue_hours",
        sa.Column("brand", sa.String(), primary_key=True),
        sa.Column("hour", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("issue", sa.String(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(HOURS)
    op.execute(ISSUES)
    op.drop_table("volumes")


def _people() -> None:
    op.create_table(
        "offers",
        sa.Column("customer_id", sa.String(), primary_key=True),
        sa.Column("version", sa.Float(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
    )
    op.create_index("offers_version", "offers", ["version"])
    op.add_column(
        "subjects", sa.Column("told", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column(
        "subjects", sa.Column("stuck", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_index("subjects_customer", "subjects", ["customer_id"])
