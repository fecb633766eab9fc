"""The job queue: procrastinate's own tables, from the package that is installed."""

from alembic import op
from procrastinate.schema import SchemaManager, migrations_path

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # Many statements in one text: the driver takes them only without parameters, so not through SQLAlchemy.
    connection = op.get_bind().connection.driver_connection
    connection.execute(SchemaManager.get_schema())
    # Which of its migrations the schema holds: voicebot.service.jobs.schema applies what a newer one adds.
    newest = max(path.name for path in migrations_path.glob("*.sql"))
    connection.execute(f"COMMENT ON TABLE procrastinate_jobs IS '{newest}'")
