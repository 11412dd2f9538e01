"""Other servers that we send to: how far each has got, what it lacks, and who sends."""

from typing import NamedTuple

from myelin.db.claims import ClaimSql
from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class UnderWay(NamedTuple):
    """A transaction that was sent and perhaps not taken; `contents` is JSON."""

    transaction_id: str
    contents: str


class MissedRoom(NamedTuple):
    """A room of which a server lacks events from a position on."""

    room_id: str
    since: int


class QueuedEdu(NamedTuple):
    """An EDU that waits."""

    position: int
    number: int
    json: bytes


class QueuedFor(NamedTuple):
    """For which server something was queued at a position."""

    position: int
    server_name: str


class ForwardedEvent(NamedTuple):
    """An event of another server that we send on."""

    position: int
    room_id: str
    event_id: str
    origin: str


class SentEvent(NamedTuple):
    """An event of the timeline, as far as it takes to see to whom it goes."""

    position: int
    room_id: str
    event_id: str
    sender: str
    type: str
    state_key: str | None


class JoinInterval(NamedTuple):
    """A stretch of the log during which a user was in a room."""

    room_id: str
    user_id: str
    from_pos: int
    to_pos: int


class SendingCursor(NamedTuple):
    """How far the holder of the lease has come."""

    position: int


class DestinationStore(Store):
    """Reads what is to be sent."""

    @query("SELECT position FROM destinations WHERE server_name = :server_name")
    async def position(self, server_name: str) -> int | None:
        """Up to where a server has got everything, but for the rooms noted."""

    @query("SELECT server_name, position FROM destinations WHERE server_name IN :server_names")
    async def positions(self, server_names: list[str]) -> list[tuple[str, int]]:
        """The same for some servers."""

    @query(
        "SELECT transaction_id, contents FROM destinations"
        " WHERE server_name = :server_name AND transaction_id IS NOT NULL"
    )
    async def under_way(self, server_name: str) -> UnderWay | None:
        """The transaction that was begun with a server and not ended."""

    @query(
        "SELECT server_name FROM destinations WHERE transaction_id IS NOT NULL"
        " UNION SELECT DISTINCT server_name FROM destination_rooms"
        " UNION SELECT DISTINCT server_name FROM outgoing_edus"
    )
    async def waiting(self) -> list[str]:
        """Servers for which there is something."""

    @query(
        "SELECT room_id, since FROM destination_rooms WHERE server_name = :server_name"
        " ORDER BY since, room_id LIMIT :limit"
    )
    async def missed_rooms(self, server_name: str, limit: int) -> list[MissedRoom]:
        """Rooms of which a server lacks something, those that it has waited for longest first."""

    @query(
        "SELECT position, number, json FROM outgoing_edus WHERE server_name = :server_name"
        " ORDER BY position, number LIMIT :limit"
    )
    async def edus(self, server_name: str, limit: int) -> list[QueuedEdu]:
        """The EDUs that wait for a server, the oldest first."""

    @query(
        "SELECT position, number, json FROM outgoing_edus WHERE server_name = :server_name AND position IN :positions"
        " ORDER BY position, number"
    )
    async def edus_at(self, server_name: str, positions: list[int]) -> list[QueuedEdu]:
        """The EDUs for a server that were queued at some positions."""

    @query(
        "SELECT DISTINCT position, server_name FROM outgoing_edus WHERE position >= :first AND position <= :last"
        " ORDER BY position"
    )
    async def queued_between(self, first: int, last: int) -> list[QueuedFor]:
        """For which servers EDUs were queued in a range of the log, both ends included."""

    @query("DELETE FROM outgoing_edus WHERE created_ts < :before")
    async def forget_edus(self, before: int) -> int:
        """Delete what nobody fetched for too long."""

    @query(
        "SELECT position, room_id, event_id, origin FROM forwarded_events"
        " WHERE position >= :first AND position <= :last ORDER BY position"
    )
    async def forwarded(self, first: int, last: int) -> list[ForwardedEvent]:
        """Events that are to be sent on, noted in a range of the log, both ends included."""

    @query(
        "DELETE FROM forwarded_events WHERE position < :position"
        " AND position < (SELECT coalesce(min(since), :position) FROM destination_rooms)"
    )
    async def forget_forwarded(self, position: int) -> int:
        """Delete notes from before a position that no server lacks any more."""

    @query(
        "SELECT position, room_id, event_id, sender, type, state_key FROM events"
        " WHERE position > :after AND position <= :until AND flags = 0 ORDER BY position LIMIT :limit"
    )
    async def events_between(self, after: int, until: int, limit: int) -> list[SentEvent]:
        """Timeline events after one position up to another, the oldest first."""

    @query(
        sqlite="SELECT position, room_id, event_id, sender, type, state_key FROM events WHERE room_id = :room_id"
        " AND flags = 0 AND position >= :first AND position <= :last"
        " AND (substr(sender, instr(sender, ':') + 1) = :server_name"
        " OR event_id IN (SELECT event_id FROM forwarded_events WHERE room_id = :room_id"
        " AND position >= :first AND position <= :last AND origin <> :destination))"
        " ORDER BY position DESC LIMIT :limit",
        postgres="SELECT position, room_id, event_id, sender, type, state_key FROM events WHERE room_id = :room_id"
        " AND flags = 0 AND position >= :first AND position <= :last"
        " AND (substr(sender, strpos(sender, ':') + 1) = :server_name"
        " OR event_id IN (SELECT event_id FROM forwarded_events WHERE room_id = :room_id"
        " AND position >= :first AND position <= :last AND origin <> :destination))"
        " ORDER BY position DESC LIMIT :limit",
    )
    async def last_of_server(
        self, room_id: str, server_name: str, destination: str, first: int, last: int, limit: int
    ) -> list[SentEvent]:
        """The newest events of a server's users in a room between two positions, both included, newest first.

        Among them what is sent on to `destination`.
        """

    @query(
        "SELECT room_id, state_key, from_pos, to_pos FROM state WHERE room_id IN :room_ids"
        " AND type = 'm.room.member' AND membership = 'join' AND from_pos <= :last AND to_pos >= :first",
        slow=True,
    )
    async def joins_during(self, room_ids: list[str], first: int, last: int) -> list[JoinInterval]:
        """Who was in some rooms at any time between two positions, or left at the first."""

    @query(
        sqlite="SELECT room_id, state_key, from_pos, to_pos FROM state WHERE room_id = :room_id"
        " AND type = 'm.room.member' AND membership = 'join' AND from_pos <= :last AND to_pos >= :first"
        " AND substr(state_key, instr(state_key, ':') + 1) = :server_name",
        postgres="SELECT room_id, state_key, from_pos, to_pos FROM state WHERE room_id = :room_id"
        " AND type = 'm.room.member' AND membership = 'join' AND from_pos <= :last AND to_pos >= :first"
        " AND substr(state_key, strpos(state_key, ':') + 1) = :server_name",
        slow=True,
    )
    async def joins_of_server(self, room_id: str, server_name: str, first: int, last: int) -> list[JoinInterval]:
        """The same for the users of one server in one room."""

    @query(
        sqlite="SELECT DISTINCT substr(theirs.state_key, instr(theirs.state_key, ':') + 1) FROM state AS mine"
        " JOIN state AS theirs ON theirs.room_id = mine.room_id AND theirs.type = 'm.room.member'"
        " AND theirs.to_pos = 9223372036854775807 AND theirs.membership = 'join'"
        " WHERE mine.type = 'm.room.member' AND mine.state_key = :user_id"
        " AND mine.to_pos = 9223372036854775807 AND mine.membership = 'join'",
        postgres="SELECT DISTINCT substr(theirs.state_key, strpos(theirs.state_key, ':') + 1) FROM state AS mine"
        " JOIN state AS theirs ON theirs.room_id = mine.room_id AND theirs.type = 'm.room.member'"
        " AND theirs.to_pos = 9223372036854775807 AND theirs.membership = 'join'"
        " WHERE mine.type = 'm.room.member' AND mine.state_key = :user_id"
        " AND mine.to_pos = 9223372036854775807 AND mine.membership = 'join'",
    )
    async def servers_sharing_with(self, user_id: str) -> list[str]:
        """The servers of everybody who is in a room with a user, the user's own included."""


class SendingCursorStore(Store):
    """The lease on sending."""

    @query(
        "INSERT INTO sending_cursors (name, holder, expires_ts, position)"
        " VALUES (:name, :holder, :expires_ts, :position)"
        " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_ts = excluded.expires_ts"
        " WHERE sending_cursors.holder = excluded.holder OR sending_cursors.expires_ts <= :now RETURNING position"
    )
    async def take(self, name: str, holder: str, now: int, expires_ts: int, position: int) -> SendingCursor | None:
        """Become the holder if nobody else is; the first one ever begins at `position`."""

    @query("UPDATE sending_cursors SET expires_ts = :expires_ts WHERE name = :name AND holder = :holder")
    async def renew(self, name: str, holder: str, expires_ts: int) -> int:
        """Stay the holder; 0 where somebody else is it by now."""


HOLD_SENDING = ClaimSql(
    "HOLD_SENDING",
    single="UPDATE sending_cursors SET expires_ts = :expires_ts WHERE name = :name AND holder = :holder"
    " RETURNING expires_ts, name, holder",
    bulk="UPDATE sending_cursors SET expires_ts = n.expires_ts FROM"
    " (SELECT unnest(:expires_ts::bigint[]) AS expires_ts, unnest(:name::text[]) AS name,"
    " unnest(:holder::text[]) AS holder) AS n"
    " WHERE sending_cursors.name = n.name AND sending_cursors.holder = n.holder"
    " RETURNING sending_cursors.expires_ts, sending_cursors.name, sending_cursors.holder",
    key=3,
)
"""Holds while this process is the one that sends: what it writes down goes in only then."""


@statement("UPDATE sending_cursors SET position = :position WHERE name = :name AND holder = :holder")
def move_cursor(name: str, holder: str, position: int) -> Statement:
    """Everything up to a position is looked through, and what is not sent of it is noted."""


@statement(
    "INSERT INTO destinations (server_name, position, transaction_id, contents)"
    " VALUES (:server_name, :position, :transaction_id, :contents) ON CONFLICT (server_name) DO UPDATE SET"
    " position = CASE WHEN destinations.position > excluded.position THEN destinations.position"
    " ELSE excluded.position END, transaction_id = excluded.transaction_id, contents = excluded.contents"
)
def begin_transaction(server_name: str, position: int, transaction_id: str, contents: str) -> Statement:
    """A transaction is about to be sent, and is this one until it is taken; up to a position the server has events."""


@statement(
    "UPDATE destinations SET position = CASE WHEN position > :position THEN position ELSE :position END,"
    " transaction_id = CASE WHEN transaction_id = :transaction_id THEN NULL ELSE transaction_id END,"
    " contents = CASE WHEN transaction_id = :transaction_id THEN NULL ELSE contents END"
    " WHERE server_name = :server_name"
)
def end_transaction(server_name: str, position: int, transaction_id: str) -> Statement:
    """The transaction was taken: the server has events up to a position. One that was begun since stays."""


@statement(
    "INSERT INTO destination_rooms (server_name, room_id, since, noted)"
    " VALUES (:server_name, :room_id, :since, :noted)"
    " ON CONFLICT (server_name, room_id) DO UPDATE SET noted = excluded.noted"
)
def note_missed_room(server_name: str, room_id: str, since: int, noted: int) -> Statement:
    """A server lacks events of a room from a position on."""


@statement("DELETE FROM destination_rooms WHERE server_name = :server_name AND room_id = :room_id AND noted <= :until")
def end_missed_room(server_name: str, room_id: str, until: int) -> Statement:
    """A server has all of a room up to a position; where more was noted since, the row stays."""


@statement("UPDATE destination_rooms SET since = :since WHERE server_name = :server_name AND room_id = :room_id")
def move_missed_room(server_name: str, room_id: str, since: int) -> Statement:
    """Of what was noted since, only this much is missing."""


@statement("DELETE FROM destination_rooms WHERE server_name = :server_name")
def end_missed_rooms(server_name: str) -> Statement:
    """A server lacks nothing."""


@statement(
    "INSERT INTO outgoing_edus (server_name, position, number, replaces, created_ts, json)"
    " VALUES (:server_name, :position, :number, :replaces, :created_ts, :json)"
)
def put_outgoing_edu(
    server_name: str, position: int, number: int, replaces: str | None, created_ts: int, json: bytes
) -> Statement:
    """Queue an EDU for a server."""


@statement(
    "DELETE FROM outgoing_edus WHERE server_name = :server_name AND replaces = :replaces AND position < :position"
)
def drop_replaced_edus(server_name: str, replaces: str, position: int) -> Statement:
    """Leave out what an EDU queued at a position takes the place of."""


@statement("DELETE FROM outgoing_edus WHERE server_name = :server_name AND position = :position AND number = :number")
def end_outgoing_edu(server_name: str, position: int, number: int) -> Statement:
    """An EDU was taken, or cannot be sent at all."""


@statement(
    "INSERT INTO forwarded_events (position, room_id, event_id, origin)"
    " VALUES (:position, :room_id, :event_id, :origin)"
)
def put_forwarded_event(position: int, room_id: str, event_id: str, origin: str) -> Statement:
    """Have an event of another server sent on."""
