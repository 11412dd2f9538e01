"""Open the database that the configuration names."""

from pathlib import Path

from myelin.config.config import Config
from myelin.db.connection import Database, DatabaseError
from myelin.db.sqlite import SqliteDatabase

SQLITE_FILE = "myelin.db"


async def open_database(config: Config) -> Database:
    """PostgreSQL where `database.url` says so, else the SQLite file in the data directory."""
    url = config.database.url
    if url.startswith(("postgresql://", "postgres://")):
        from myelin.db.postgres import PostgresDatabase  # the driver costs memory that SQLite does not need

        return await PostgresDatabase.connect(
            url,
            pool_size=config.database.pool_size,
            statement_timeout_ms=config.database.statement_timeout_ms,
        )
    if url and not url.startswith("sqlite://"):
        raise DatabaseError("database.url must begin with postgresql:// or sqlite:///, or be empty")
    path = Path(url.removeprefix("sqlite:///")) if url else config.data_directory / SQLITE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    return SqliteDatabase(path)
