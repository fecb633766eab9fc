"""Agents: devices that are told of calls by Web Push."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column(
        "agents", sa.Column("notified", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_table(
        "push_targets",
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", name=op.f("pk_push_targets")),
    )
    op.create_index("ix_push_targets_agent_id", "push_targets", ["agent_id"])
