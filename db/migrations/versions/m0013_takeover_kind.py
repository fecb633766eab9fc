"""Campaigns: how a customer is handed to a person."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("takeover", sa.Text(), server_default="auto", nullable=False))
