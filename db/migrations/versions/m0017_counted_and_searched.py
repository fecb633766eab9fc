"""The audit log is searched by person, deed and subject, newest first; pages count contacts."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    for column in ("actor", "action", "subject"):
        op.create_index(f"ix_audit_log_{column}", "audit_log", [column, "id"])
    op.create_index("ix_contacts_status", "contacts", ["campaign_id", "status"])
    op.create_index(
        "ix_contacts_refusal", "contacts", ["campaign_id", "refusal"],
        postgresql_where=sa.text("refusal IS NOT NULL"),
    )  # fmt: skip
