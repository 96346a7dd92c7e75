"""Tables of the read model. Each row keeps its record whole, beside what is asked for."""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("priority", String, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

brand_risk = Table(
    "brand_risk",
    metadata,
    Column("brand", String, primary_key=True),
    Column("version", Float, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

fit_signals = Table(
    "fit_signals",
    metadata,
    Column("key", String, primary_key=True),
    Column("version", Float, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

mentions = Table(
    "mentions",
    metadata,
    Column("mention_id", String, primary_key=True),
    Column("version", Float, nullable=False),
    Column("subject", String, nullable=False, index=True),
    Column("record", LargeBinary, nullable=False),
)
