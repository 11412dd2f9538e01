"""Migrations: from nothing, again, beside another process, and never over a newer schema."""

import asyncio
from pathlib import Path

import pytest

from inprocess import make_config
from myelin.app.build import MIGRATIONS, build
from myelin.db.connection import Database, DatabaseError, Dialect
from myelin.db.migrate import SchemaTooNew, migrate, read_migrations
from myelin.db.open import open_database
from myelin.db.sql import Sql
from myelin.store.log import LogStore

APPLIED = Sql("SELECT number FROM schema_migrations ORDER BY number")
MARKS = Sql("SELECT word FROM marks ORDER BY word")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two steps of a schema."""
    folder = tmp_path / "steps"
    folder.mkdir()
    (folder / "0001_marks.sql").write_text("CREATE TABLE marks (id BIGKEY, word TEXT NOT NULL, data BYTES);")
    (folder / "0002_first.sqlite.sql").write_text("INSERT INTO marks (id, word) VALUES (1, 'one; with a semicolon');")
    (folder / "0002_first.postgres.sql").write_text("INSERT INTO marks (id, word) VALUES (1, 'one; with a semicolon');")
    return folder


async def test_from_nothing_and_again(empty: Database) -> None:
    known = [m.number for m in read_migrations(MIGRATIONS, empty.dialect)]
    assert await migrate(empty, MIGRATIONS) == len(known)
    assert [row[0] for row in await empty.fetch(APPLIED, ())] == known
    assert await LogStore(empty).position() == 0
    assert await migrate(empty, MIGRATIONS) == 0


async def test_only_what_is_missing_is_applied(empty: Database, folder: Path) -> None:
    assert await migrate(empty, folder) == 2
    (folder / "0003_second.sql").write_text("INSERT INTO marks (id, word) VALUES (2, 'two');")
    assert await migrate(empty, folder) == 1
    assert [row[0] for row in await empty.fetch(MARKS, ())] == ["one; with a semicolon", "two"]


async def test_a_newer_schema_is_refused_and_left_alone(empty: Database, folder: Path) -> None:
    (folder / "0009_future.sql").write_text("INSERT INTO marks (id, word) VALUES (9, 'future');")
    await migrate(empty, folder)
    (folder / "0009_future.sql").unlink()
    (folder / "0003_second.sql").write_text("INSERT INTO marks (id, word) VALUES (2, 'two');")
    with pytest.raises(SchemaTooNew, match=r"schema step 9, this version of Myelin knows 3: run the newer version"):
        await migrate(empty, folder)
    assert "two" not in [row[0] for row in await empty.fetch(MARKS, ())]


async def test_a_step_that_fails_leaves_nothing_and_can_be_mended(empty: Database, folder: Path) -> None:
    mended = "INSERT INTO marks (id, word) VALUES (2, 'two');"
    (folder / "0003_second.sql").write_text(f"{mended}\nINSERT INTO nowhere VALUES (1);")
    with pytest.raises(DatabaseError):
        await migrate(empty, folder)
    assert [row[0] for row in await empty.fetch(APPLIED, ())] == [1, 2]
    assert [row[0] for row in await empty.fetch(MARKS, ())] == ["one; with a semicolon"]
    (folder / "0003_second.sql").write_text(mended)
    assert await migrate(empty, folder) == 1


async def test_a_file_with_a_wrong_name_is_refused(empty: Database, folder: Path) -> None:
    (folder / "3_second.sql").write_text("SELECT 1;")
    with pytest.raises(DatabaseError, match=r"3_second\.sql is not named NNNN_name\.sql"):
        await migrate(empty, folder)


def test_each_step_is_there_once_for_each_engine() -> None:
    steps = {dialect: [(m.number, m.name) for m in read_migrations(MIGRATIONS, dialect)] for dialect in Dialect}
    assert steps[Dialect.SQLITE] == steps[Dialect.POSTGRES]
    assert len({number for number, _ in steps[Dialect.SQLITE]}) == len(steps[Dialect.SQLITE])


@pytest.mark.postgres
async def test_processes_that_migrate_at_once_apply_each_step_once(tmp_path: Path, postgres_url: str) -> None:
    databases = [await open_database(make_config(tmp_path, postgres_url)) for _ in range(4)]
    await asyncio.gather(*(migrate(database, MIGRATIONS) for database in databases))
    known = [m.number for m in read_migrations(MIGRATIONS, Dialect.POSTGRES)]
    assert [row[0] for row in await databases[0].fetch(APPLIED, ())] == known
    for database in databases:
        await database.close()


async def test_the_server_refuses_a_newer_schema_and_another_name(tmp_path: Path, database_url: str) -> None:
    config = make_config(tmp_path, database_url)
    await (await build(config)).close()
    other = make_config(tmp_path, database_url, server=type(config.server)(name="other", data_directory=str(tmp_path)))
    with pytest.raises(DatabaseError, match=r"belongs to the server hs1, but server\.name says other"):
        await build(other)
    database = await open_database(config)
    await database.script("INSERT INTO schema_migrations (number, name) VALUES (9999, 'future');")
    await database.close()
    with pytest.raises(SchemaTooNew, match="schema step 9999"):
        await build(config)
