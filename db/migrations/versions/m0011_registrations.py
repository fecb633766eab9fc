"""Trunks: whose certificate is believed, and how registrations ended."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column(
        "trunks", sa.Column("tls_verify", sa.Boolean(), server_default=sa.text("true"), nullable=False)
    )
    op.add_column("trunks", sa.Column("tls_ca", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "trunk_registrations",
        sa.Column("trunk", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["trunk"], ["trunks.name"], name=op.f("fk_trunk_registrations_trunk_trunks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trunk", "worker", name=op.f("pk_trunk_registrations")),
    )
