"""The log's counter."""

from myelin.db.query import Store, query


class LogStore(Store):
    """Where the log stands."""

    @query("SELECT value FROM position WHERE name = 'log'")
    async def position(self) -> int:
        """The last position committed by any process."""

    @query("UPDATE position SET value = value - :count WHERE name = 'backward' RETURNING value")
    async def take_backward_positions(self, count: int) -> int:
        """The lowest of `count` new negative positions, for events older than all that we have."""

    @query("SELECT value FROM server_facts WHERE name = :name")
    async def fact(self, name: str) -> str | None:
        """A fact about this database, such as the server name that it was made for."""

    @query("INSERT INTO server_facts (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING")
    async def put_fact(self, name: str, value: str) -> None:
        """Write a fact once."""
