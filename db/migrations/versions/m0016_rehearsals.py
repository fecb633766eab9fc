"""Rehearsals: campaigns that only try another one, or a playbook."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("rehearses", sa.Text(), server_default="", nullable=False))
