"""How Alembic runs the migrations: inside the transaction that `Database.migrate` has opened."""

from alembic import context

from autoretrain.adapters.store.schema import METADATA

connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    # An index over months of messages takes longer than a statement may otherwise.
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
context.configure(connection=connection, target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
