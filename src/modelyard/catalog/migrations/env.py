"""What alembic runs to get a connection: ours, inside a transaction that is open already."""

from __future__ import annotations

from alembic import context

from modelyard.catalog.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
