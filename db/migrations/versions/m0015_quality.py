"""How calls sounded, as far as RTP and RTCP tell."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("calls", sa.Column("quality", postgresql.JSONB(), nullable=True))
