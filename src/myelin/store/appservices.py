"""Application services: their registrations, and the rooms in the directories of their networks."""

from typing import NamedTuple

from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement
from myelin.store.directory import PublishedStore
from myelin.store.state import OPEN


class StoredAppservice(NamedTuple):
    """A registration; `registration` is JSON."""

    appservice_id: str
    registration: str
    added_ts: int


class Stay(NamedTuple):
    """A stretch of the log during which somebody was in a room."""

    user_id: str
    from_pos: int
    to_pos: int


class AppserviceStore(Store):
    """Reads and changes registrations. Changes belong into one transaction with `count_change`."""

    @query("SELECT appservice_id, registration, added_ts FROM appservices ORDER BY added_ts, appservice_id")
    async def appservices(self) -> list[StoredAppservice]:
        """All, the oldest first."""

    @query(
        "INSERT INTO appservices (appservice_id, registration, added_ts)"
        " VALUES (:appservice_id, :registration, :added_ts) ON CONFLICT (appservice_id) DO UPDATE"
        " SET registration = excluded.registration"
    )
    async def put(self, appservice_id: str, registration: str, added_ts: int) -> int:
        """Add one, or change it."""

    @query("DELETE FROM appservices WHERE appservice_id = :appservice_id")
    async def delete(self, appservice_id: str) -> int:
        """Remove one; 0 where there is none."""

    @query("DELETE FROM appservice_cursors WHERE name = :appservice_id")
    async def delete_cursor(self, appservice_id: str) -> int:
        """Forget how far one has come: added again, it begins with what is new then."""

    @query("DELETE FROM appservice_rooms WHERE appservice_id = :appservice_id")
    async def delete_rooms(self, appservice_id: str) -> int:
        """Empty its directories."""

    @query("UPDATE appservice_revisions SET revision = revision + 1 WHERE name = 'appservices'")
    async def count_change(self) -> int:
        """Have all processes read the registrations again."""

    @query("SELECT revision FROM appservice_revisions WHERE name = 'appservices'")
    async def revision(self) -> int:
        """How often the registrations changed."""

    @query(
        f"SELECT state_key FROM state WHERE room_id = :room_id AND type = 'm.room.member' AND to_pos = {OPEN}"
        " AND membership = 'join'",
        slow=True,
    )
    async def joined(self, room_id: str) -> list[str]:
        """Everybody who is in a room."""

    @query(
        "SELECT state_key, from_pos, to_pos FROM state WHERE room_id = :room_id AND type = 'm.room.member'"
        " AND membership = 'join' AND state_key LIKE :like ORDER BY from_pos",
        slow=True,
    )
    async def stays(self, room_id: str, like: str) -> list[Stay]:
        """When users whose ID is like a pattern were in a room."""

    @query("SELECT room_alias FROM room_aliases WHERE room_id = :room_id")
    async def aliases(self, room_id: str) -> list[str]:
        """The aliases of this server that point to a room."""


class NetworkRoomStore(PublishedStore):
    """What `PublishedStore` reads, of rooms in the directories of networks."""

    @query("SELECT DISTINCT room_id FROM appservice_rooms ORDER BY room_id")
    async def published(self) -> list[str]:
        """The rooms of all networks."""

    @query("SELECT DISTINCT room_id FROM appservice_rooms WHERE room_id IN :room_ids")
    async def of(self, room_ids: list[str]) -> list[str]:
        """Those of the rooms that are in the directory of a network."""

    @query("SELECT room_id FROM appservice_rooms WHERE appservice_id || '|' || network_id = :instance_id")
    async def of_instance(self, instance_id: str) -> list[str]:
        """The rooms of one network, named as `GET /thirdparty/protocols` names its instances."""


@statement(
    "INSERT INTO appservice_rooms (appservice_id, network_id, room_id)"
    " VALUES (:appservice_id, :network_id, :room_id) ON CONFLICT DO NOTHING"
)
def add_network_room(appservice_id: str, network_id: str, room_id: str) -> Statement:
    """Put a room into the directory of a network."""


@statement(
    "DELETE FROM appservice_rooms"
    " WHERE appservice_id = :appservice_id AND network_id = :network_id AND room_id = :room_id"
)
def delete_network_room(appservice_id: str, network_id: str, room_id: str) -> Statement:
    """Take a room out of the directory of a network."""
