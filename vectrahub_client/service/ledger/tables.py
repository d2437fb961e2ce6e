"""The tables. A change of them raises VERSION and comes with the step that brings an older file there."""

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Integer, MetaData, Table, Text, UniqueConstraint

VERSION = 1  # PRAGMA user_version of the file

METADATA = MetaData()

JOBS = Table(
    "jobs",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("system", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("fingerprint", Text, nullable=False),
    Column("params", JSON, nullable=False),
    Column("plan", JSON, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("deliveries", JSON, nullable=False),  # what is to be handed over at the end: [[kind, target], ...]
    Column("timeout_s", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("attempts", Integer, nullable=False, default=0),
    Column("outputs", JSON, nullable=False, default=list),
    Column("report", JSON, nullable=False, default=dict),
    Column("failure", JSON),
    Column("log", JSON, nullable=False, default=list),
    UniqueConstraint("token", "idempotency_key"),
    Index("jobs_by_state", "state", "seq"),
    Index("jobs_by_token", "token", "seq"),
    sqlite_autoincrement=True,  # a number is never used twice, also after the newest job was deleted
)

DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("job_id", Text, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("target", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Float, nullable=False),
    Column("error", Text),
    Column("reply", JSON),
    Column("created_at", Float, nullable=False),
    Index("deliveries_due", "state", "next_at"),
)

# Ids whose files are to be removed: orders that are not yet accepted, and jobs that were forgotten. Nothing else is
# ever removed: another server may keep its jobs in the same folders.
LITTER = Table("litter", METADATA, Column("id", Text, primary_key=True))

TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("max_jobs", Integer),
    Column("created_at", Float, nullable=False),
)
