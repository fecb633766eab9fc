"""Run by alembic, on the connection that voicebot.store.migrate hands over."""

from alembic import context

from voicebot.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    include_name=context.config.attributes["include_name"],
    target_metadata=Base.metadata,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
