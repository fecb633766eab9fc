"""Calls that came in are found by their campaign: the dialer asks for their results twice a second."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_index(
        "ix_call_attempts_called_in", "call_attempts", ["campaign_id", "contact_id"],
        postgresql_where=sa.text("direction = 'inbound'"),
    )  # fmt: skip
