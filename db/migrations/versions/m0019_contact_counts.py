"""Contacts are counted as they change: pages need not read a whole list."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "contact_counts",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=False),
        sa.Column("contacts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_counts")),
    )
    op.create_index("ix_contact_counts_campaign_id", "contact_counts", ["campaign_id"])
    op.execute(
        """
        CREATE FUNCTION count_contacts() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                INSERT INTO contact_counts (campaign_id, status, refusal, contacts)
                SELECT campaign_id, status, coalesce(refusal, ''), count(*) FROM after GROUP BY 1, 2, 3;
            ELSIF TG_OP = 'DELETE' THEN
                INSERT INTO contact_counts (campaign_id, status, refusal, contacts)
                SELECT campaign_id, status, coalesce(refusal, ''), -count(*) FROM before GROUP BY 1, 2, 3;
            ELSE
                INSERT INTO contact_counts (campaign_id, status, refusal, contacts)
                SELECT campaign_id, status, refusal, sum(change) FROM (
                    SELECT campaign_id, status, coalesce(refusal, '') AS refusal, 1 AS change FROM after
                    UNION ALL
                    SELECT campaign_id, status, coalesce(refusal, ''), -1 FROM before
                ) AS changes GROUP BY 1, 2, 3 HAVING sum(change) <> 0;
            END IF;
            RETURN NULL;
        END $$
        """
    )
    # Writers wait from here to the end of the migration, so that no change is missed.
    for deed, tables in {
        "INSERT": "NEW TABLE AS after",
        "DELETE": "OLD TABLE AS before",
        "UPDATE": "OLD TABLE AS before NEW TABLE AS after",
    }.items():
        op.execute(
            f"CREATE TRIGGER contacts_counted_{deed.lower()} AFTER {deed} ON contacts "
            f"REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION count_contacts()"
        )
    op.execute(
        "INSERT INTO contact_counts (campaign_id, status, refusal, contacts) "
        "SELECT campaign_id, status, coalesce(refusal, ''), count(*) FROM contacts GROUP BY 1, 2, 3"
    )
    op.drop_index("ix_contacts_status", "contacts")
    op.drop_index("ix_contacts_refusal", "contacts")
