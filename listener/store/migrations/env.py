"""Runs on the connection that `listener.store.database.upgrade` hands over."""

from alembic import context

from listener.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
