"""How Alembic runs the migrations: inside the transaction that `Database.migrate` has opened."""

from alembic import context

from autoretrain.adapters.store.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
