"""Alembic migrations of the read model; `Store.open` brings a database up to date."""
