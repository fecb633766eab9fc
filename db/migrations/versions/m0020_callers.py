"""A call of somebody on no list who calls in carries the number: a wish not to be called can be kept."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column("calls", sa.Column("caller_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("calls", sa.Column("caller_lookups", sa.ARRAY(sa.LargeBinary()), nullable=True))
    op.add_column("calls", sa.Column("caller_masked", sa.Text(), nullable=True))
    op.create_index(
        "ix_calls_caller_lookups",
        "calls",
        ["caller_lookups"],
        postgresql_using="gin",
        postgresql_where=sa.text("caller_lookups IS NOT NULL"),
    )
    op.create_index("ix_calls_caller", "calls", ["id"], postgresql_where=sa.text("caller_sealed IS NOT NULL"))
