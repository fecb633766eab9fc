"""Trunks, do-not-call lists, refusals, imports, corrections; what paces and schedules a campaign."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    _lists()
    _records()
    _trunks()
    op.add_column("call_attempts", sa.Column("trunk", sa.Text(), server_default="", nullable=False))
    op.create_index(
        "ix_call_attempts_campaign_id", "call_attempts", ["campaign_id", "created_at"], unique=False
    )
    op.create_index("ix_call_attempts_trunk", "call_attempts", ["trunk", "created_at"], unique=False)
    _campaigns()


def _lists() -> None:
    op.create_table(
        "do_not_call_lists",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("max_age_days", sa.Integer(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("numbers", sa.Integer(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_do_not_call_lists")),
        sa.UniqueConstraint("name", name=op.f("uq_do_not_call_lists_name")),
    )
    op.create_table(
        "do_not_call_numbers",
        sa.Column("number_lookup", sa.LargeBinary(), nullable=False),
        sa.Column("list_id", sa.Uuid(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["do_not_call_lists.id"],
            name=op.f("fk_do_not_call_numbers_list_id_do_not_call_lists"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number_lookup", "list_id", name=op.f("pk_do_not_call_numbers")),
    )


def _records() -> None:
    op.create_table(
        "outcome_corrections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outcome_corrections")),
    )
    op.create_index("ix_outcome_corrections_call_id", "outcome_corrections", ["call_id", "at"], unique=False)
    op.create_table(
        "refusals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusals")),
    )
    op.create_index("ix_refusals_contact_id", "refusals", ["contact_id", "at"], unique=False)
    op.create_table(
        "imports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("added", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("duplicates", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("errors", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("errors_file", sa.Text(), server_default="", nullable=False),
        sa.Column("failure", sa.Text(), server_default="", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_imports_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_campaign_id", "imports", ["campaign_id", "started_at"], unique=False)


def _trunks() -> None:
    op.create_table(
        "trunks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("prefixes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("password_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("register", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("domain", sa.Text(), server_default="", nullable=False),
        sa.Column("number_format", sa.Text(), nullable=False),
        sa.Column("dial_prefix", sa.Text(), server_default="", nullable=False),
        sa.Column("caller_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("codecs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("srtp", sa.Text(), nullable=False),
        sa.Column("max_calls", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("calls_per_s", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("causes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_trunks")),
    )


def _campaigns() -> None:
    zero, nothing = sa.text("0"), sa.text("'{}'")
    for column in (
        sa.Column("mode", sa.Text(), server_default="bot", nullable=False),
        sa.Column("priority", sa.Integer(), server_default=zero, nullable=False),
        sa.Column("calls_per_s", sa.Double(), server_default=zero, nullable=False),
        sa.Column("max_talks", sa.Integer(), server_default=zero, nullable=False),
        sa.Column("hours", sa.Text(), server_default="", nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry", postgresql.JSONB(astext_type=sa.Text()), server_default=nothing, nullable=False),
        sa.Column("held", sa.Text(), server_default="", nullable=False),
        sa.Column("resumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leave_message", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    ):
        op.add_column("campaigns", column)
    op.add_column("contacts", sa.Column("priority", sa.Integer(), server_default=zero, nullable=False))
    op.add_column("contacts", sa.Column("callback_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("contacts", sa.Column("agent_id", sa.Text(), server_default="", nullable=False))
    op.drop_index("ix_contacts_hopper", table_name="contacts")
    op.create_index(
        "ix_contacts_hopper",
        "contacts",
        ["campaign_id", sa.literal_column("priority DESC"), "next_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_contacts_calling",
        "contacts",
        ["campaign_id"],
        unique=False,
        postgresql_where=sa.text("status = 'calling'"),
    )
