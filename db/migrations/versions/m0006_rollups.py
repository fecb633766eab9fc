"""Roll-ups, and which transaction stored a turn or an outcome."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = {
    "outcomes": (
        ("disposition", sa.Text()),
        ("intent_level", sa.Text()),
        ("calls", "answered", "spoke", "opted_out"),
    ),
    "reasons": (("disposition", sa.Text()), ("reason", sa.Text()), ("calls",)),
    "scripts": (("script_id", sa.Text()), ("variant", sa.Text()), ("calls", "converted", "said", "hung_up")),
    "latencies": (("stage", sa.Text()), ("step", sa.SmallInteger()), ("turns",)),
    "emotions": (("step", sa.SmallInteger()), ("before", sa.Text()), ("after", sa.Text()), ("calls",)),
}


def upgrade() -> None:
    for name, (*keys, counts) in TABLES.items():
        key_columns = [
            sa.Column(key, kind, nullable=False, **({"autoincrement": False} if key == "step" else {}))
            for key, kind in keys
        ]
        extra = [sa.Column("talk_s", sa.Double(), nullable=False)] if name == "outcomes" else []
        op.create_table(
            f"rollup_{name}",
            sa.Column("campaign_id", sa.Uuid(), nullable=False),
            sa.Column("at", sa.DateTime(timezone=True), nullable=False),
            *key_columns,
            *(sa.Column(count, sa.Integer(), nullable=False) for count in counts),
            *extra,
            sa.PrimaryKeyConstraint(
                "campaign_id", "at", *(key for key, _ in keys), name=op.f(f"pk_rollup_{name}")
            ),
        )
    op.create_table(
        "rollup_state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("stored_by", sa.BigInteger(), nullable=False),
        sa.Column("days_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("turns_from", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rollup_state")),
    )
    stored_by = sa.text("pg_current_xact_id()::text::bigint")
    for table in ("turns", "outcomes"):
        op.add_column(
            table, sa.Column("stored_by", sa.BigInteger(), server_default=stored_by, nullable=False)
        )
    op.create_index("ix_turns_stored_by", "turns", ["stored_by"], unique=False, postgresql_using="brin")
    op.create_index("ix_outcomes_stored_by", "outcomes", ["stored_by"], unique=False)
    op.execute(
        """
        CREATE FUNCTION note_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.stored_by := pg_current_xact_id()::text::bigint;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER outcomes_note_transaction BEFORE UPDATE ON outcomes "
        "FOR EACH ROW EXECUTE FUNCTION note_transaction()"
    )
