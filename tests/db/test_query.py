"""Declarations: what is asked for by name is what comes back, in the shape of the annotation."""

from typing import NamedTuple

import pytest

from myelin.db import query as declarations
from myelin.db.connection import Database, DatabaseError, UniqueViolation
from myelin.db.query import Store, query, statement
from myelin.db.sql import Sql, Statement


class Pet(NamedTuple):
    name: str
    legs: int
    is_wild: bool


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Declarations of these tests are none of the project's."""
    monkeypatch.setattr(declarations, "REGISTRY", [])


def pets() -> type[Store]:
    class Pets(Store):
        @query("SELECT name, legs, is_wild FROM pets ORDER BY name")
        async def all(self) -> list[Pet]: ...

        @query("SELECT name, legs, is_wild FROM pets WHERE name = :name")
        async def maybe(self, name: str) -> Pet | None: ...

        @query("SELECT legs FROM pets WHERE name = :name")
        async def legs(self, name: str) -> int: ...

        @query("SELECT name, legs FROM pets WHERE name IN :names ORDER BY name")
        async def among(self, names: list[str]) -> list[tuple[str, int]]: ...

        @query("SELECT name FROM pets WHERE name NOT IN :names AND legs >= :least ORDER BY name")
        async def besides(self, names: list[str], least: int = 0) -> list[str]: ...

        @query("UPDATE pets SET legs = :legs WHERE legs < :legs")
        async def at_least(self, legs: int) -> int: ...

        @query("DELETE FROM pets WHERE name = :name")
        async def remove(self, name: str) -> None: ...

        @query("INSERT INTO pets (name, legs, is_wild) VALUES (:name, :legs, :is_wild)")
        async def add(self, name: str, legs: int, is_wild: int) -> None: ...

        @query("UPDATE pets SET legs = legs + 1 WHERE name = :name RETURNING legs")
        async def grow(self, name: str) -> int | None: ...

    return Pets


@pytest.fixture
async def store(empty: Database) -> Store:
    await empty.script("CREATE TABLE pets (name TEXT PRIMARY KEY, legs BIGINT NOT NULL, is_wild SMALLINT NOT NULL);")
    store = pets()(empty)
    for pet in (("cat", 4, 0), ("crow", 2, 1), ("snake", 0, 1)):
        await store.add(*pet)
    return store


async def test_the_annotation_gives_the_shape(store: Store) -> None:
    assert await store.all() == [Pet("cat", 4, False), Pet("crow", 2, True), Pet("snake", 0, True)]
    assert await store.maybe("crow") == Pet("crow", 2, True)
    assert await store.maybe("dodo") is None
    assert await store.legs(name="snake") == 0
    with pytest.raises(DatabaseError, match="no row where there must be one"):
        await store.legs("dodo")


async def test_lists_are_one_parameter(store: Store) -> None:
    assert await store.among(["snake", "cat", "dodo"]) == [("cat", 4), ("snake", 0)]
    assert await store.among([]) == []
    assert await store.besides(["cat"]) == ["crow", "snake"]
    assert await store.besides([], least=1) == ["cat", "crow"]


async def test_what_writes_tells_how_many_rows(store: Store) -> None:
    assert await store.at_least(2) == 1
    assert await store.legs("snake") == 2
    await store.remove("snake")
    assert await store.maybe("snake") is None
    assert await store.grow("cat") == 5
    assert await store.grow("dodo") is None


async def test_a_second_row_with_a_key_is_a_unique_violation(store: Store) -> None:
    with pytest.raises(UniqueViolation):
        await store.add("cat", 3, 0)
    with pytest.raises(DatabaseError):
        await store.add("worm", None, 0)
    assert len(await store.all()) == 3


async def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    async def dog_and_cat() -> None:
        async with store.connection.transaction() as transaction:
            within = type(store)(transaction)
            await within.add("dog", 4, 0)
            assert await within.maybe("dog") is not None
            await within.add("cat", 4, 0)

    with pytest.raises(UniqueViolation):
        await dog_and_cat()
    assert await store.maybe("dog") is None
    async with store.connection.transaction() as transaction:
        await type(store)(transaction).add("dog", 4, 0)
    assert await store.legs("dog") == 4


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
async def test_a_number_that_no_column_holds_is_an_error_of_the_database(store: Store, value: int) -> None:
    with pytest.raises(DatabaseError):
        await store.add("giant", value, 0)
    with pytest.raises(DatabaseError):
        async with store.connection.transaction() as transaction:
            await type(store)(transaction).add("giant", value, 0)


async def test_text_that_no_column_holds_is_an_error_of_the_database(store: Store) -> None:
    with pytest.raises(DatabaseError):
        await store.add("lone \ud800", 1, 0)


def test_a_statement_is_handed_out_with_its_arguments_in_order() -> None:
    @statement("UPDATE pets SET legs = :legs WHERE name = :name AND legs <> :legs")
    def set_legs(name: str, legs: int = 4) -> Statement: ...

    made = set_legs("cat")
    assert (made.sql.postgres, made.args) == ("UPDATE pets SET legs = $1 WHERE name = $2 AND legs <> $1", (4, "cat"))
    assert made.sql.sqlite == "UPDATE pets SET legs = ?1 WHERE name = ?2 AND legs <> ?1"


def test_a_parameter_that_no_argument_gives_is_found_at_import() -> None:
    with pytest.raises(TypeError, match="no argument for :legs"):

        @statement("UPDATE pets SET legs = :legs")
        def wrong(name: str) -> Statement: ...


def test_casts_are_no_parameters() -> None:
    sql = Sql("SELECT :a::text, ':b'::text")
    assert sql.names[0] == "a"
    assert sql.postgres.startswith("SELECT $1::text")
