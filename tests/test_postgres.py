"""The PostgreSQL fixtures: a fresh, empty database for each test, on one shared cluster."""

import asyncpg
import pytest

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("attempt", [1, 2])
async def test_each_test_has_an_empty_database_of_its_own(postgres_url: str, attempt: int) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        await connection.execute(f"CREATE TABLE left_by_{attempt} (id bigint)")
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    finally:
        await connection.close()


async def test_a_connection_left_open_does_not_hold_the_database(postgres_server, tmp_path) -> None:
    connection = await asyncpg.connect(postgres_server.create_database("left_open"))
    postgres_server.drop_database("left_open")
    with pytest.raises(asyncpg.PostgresError):
        await connection.fetchval("SELECT 1")
    await connection.close()
