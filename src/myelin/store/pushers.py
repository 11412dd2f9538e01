"""Pushers: where a user's devices want to be notified, what is still to be sent there, and who sends it."""

from typing import NamedTuple

from myelin.db.claims import ClaimSql
from myelin.db.query import Store, query, statement
from myelin.db.sql import Statement


class Pusher(NamedTuple):
    """One pusher; `data` is JSON."""

    user_id: str
    app_id: str
    pushkey: str
    pusher_id: int
    kind: str
    app_display_name: str
    device_display_name: str
    profile_tag: str | None
    lang: str
    data: str
    pushkey_ts: int
    position: int
    badge: int


class QueuedPush(NamedTuple):
    """Something to send; `event_id` is empty for an unread count alone, `tweaks` JSON."""

    pusher_id: int
    position: int
    room_id: str
    event_id: str
    tweaks: str
    created_ts: int


class LoggedEvent(NamedTuple):
    """An event of the log."""

    position: int
    room_id: str
    event_id: str


class HeldCursor(NamedTuple):
    """How far the holder of a lease has come."""

    position: int


_COLUMNS = (
    "user_id, app_id, pushkey, pusher_id, kind, app_display_name, device_display_name, profile_tag, lang, data,"
    " pushkey_ts, position, badge"
)
_ALIVE = (
    "(device_id IS NULL OR EXISTS (SELECT 1 FROM devices AS d"
    " WHERE d.user_id = pushers.user_id AND d.device_id = pushers.device_id))"
)
"""A pusher ends with its device, also where the process died between the one and the other."""


class PusherStore(Store):
    """Pushers and what is queued for them."""

    @query(f"SELECT {_COLUMNS} FROM pushers WHERE user_id = :user_id AND {_ALIVE} ORDER BY pusher_id")
    async def of_user(self, user_id: str) -> list[Pusher]:
        """A user's pushers, the oldest first."""

    @query(f"SELECT {_COLUMNS} FROM pushers WHERE user_id IN :user_ids AND {_ALIVE} ORDER BY pusher_id")
    async def of_users(self, user_ids: list[str]) -> list[Pusher]:
        """The pushers of some users."""

    @query(f"SELECT {_COLUMNS} FROM pushers WHERE pusher_id = :pusher_id AND {_ALIVE}")
    async def pusher(self, pusher_id: int) -> Pusher | None:
        """One pusher."""

    @query(f"SELECT {_COLUMNS} FROM pushers WHERE app_id = :app_id AND pushkey = :pushkey ORDER BY pusher_id")
    async def of_pushkey(self, app_id: str, pushkey: str) -> list[Pusher]:
        """The pushers of all users with one key."""

    @query("SELECT pusher_id FROM pushers WHERE user_id = :user_id AND device_id IN :device_ids")
    async def of_user_with_any_device(self, user_id: str, device_ids: list[str]) -> list[int]:
        """The pushers that sessions of some devices set."""

    @query("SELECT DISTINCT user_id FROM pushers")
    async def users(self) -> list[str]:
        """Everybody who has a pusher."""

    @query(
        "SELECT DISTINCT p.user_id FROM pushers AS p JOIN state AS s ON s.state_key = p.user_id "
        "WHERE s.room_id = :room_id AND s.type = 'm.room.member' AND s.to_pos = 9223372036854775807 "
        "AND s.membership = 'join'"
    )
    async def users_in(self, room_id: str) -> list[str]:
        """The joined members of a room who have a pusher."""

    @query(
        "SELECT pusher_id, position, room_id, event_id, tweaks, created_ts FROM push_queue "
        "WHERE pusher_id = :pusher_id ORDER BY position LIMIT 2"
    )
    async def next_two(self, pusher_id: int) -> list[QueuedPush]:
        """What is to be sent first, and what comes after it."""

    @query("SELECT DISTINCT pusher_id FROM push_queue")
    async def waiting(self) -> list[int]:
        """Pushers for which something is queued."""

    @query(
        "DELETE FROM push_queue WHERE NOT EXISTS (SELECT 1 FROM pushers AS p WHERE p.pusher_id = push_queue.pusher_id)"
    )
    async def delete_orphans(self) -> int:
        """Forget what is queued for pushers that are gone."""

    @query(
        "SELECT position, room_id, event_id FROM events WHERE position > :after AND position <= :until AND flags = 0 "
        "ORDER BY position LIMIT :limit"
    )
    async def events_between(self, after: int, until: int, limit: int) -> list[LoggedEvent]:
        """Timeline events after one position up to another, the oldest first."""

    @query("DELETE FROM pushers WHERE user_id = :user_id AND kind = 'email' AND pushkey = :address")
    async def delete_mail_pushers(self, user_id: str, address: str) -> int:
        """Send no more digests to an address."""

    @query(
        "SELECT pusher_id, position, room_id, event_id, tweaks, created_ts FROM push_queue"
        " WHERE pusher_id = :pusher_id ORDER BY position LIMIT :most"
    )
    async def queued(self, pusher_id: int, most: int) -> list[QueuedPush]:
        """What waits for a pusher, in order."""

    @query("SELECT sent_ts FROM mail_digests WHERE pusher_id = :pusher_id")
    async def last_digest(self, pusher_id: int) -> int | None:
        """When a pusher last had a digest."""


class PushCursorStore(Store):
    """The lease on the log's reader."""

    @query(
        "INSERT INTO push_cursors (name, holder, expires_ts, position) VALUES (:name, :holder, :expires_ts, :position) "
        "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_ts = excluded.expires_ts "
        "WHERE push_cursors.holder = excluded.holder OR push_cursors.expires_ts <= :now RETURNING position"
    )
    async def take(self, name: str, holder: str, now: int, expires_ts: int, position: int) -> HeldCursor | None:
        """Become the holder if nobody else is; the first one ever begins at `position`."""

    @query(
        "UPDATE push_cursors SET expires_ts = :expires_ts, position = :position WHERE name = :name AND holder = :holder"
    )
    async def renew(self, name: str, holder: str, expires_ts: int, position: int) -> int:
        """Stay the holder, and note how far it has come; 0 where somebody else is it by now."""


ADVANCE_PUSH_CURSOR = ClaimSql(
    "ADVANCE_PUSH_CURSOR",
    single="UPDATE push_cursors SET position = :position WHERE name = :name AND holder = :holder"
    " RETURNING position, name",
    bulk="UPDATE push_cursors SET position = n.position FROM "
    "(SELECT unnest(:position::bigint[]) AS position, unnest(:name::text[]) AS name, unnest(:holder::text[]) AS holder)"
    " AS n WHERE push_cursors.name = n.name AND push_cursors.holder = n.holder"
    " RETURNING push_cursors.position, push_cursors.name",
    key=2,
)
"""Holds while this process is the holder: what it queues and how far it has come are written together or not at all."""


@statement(
    "INSERT INTO pushers (user_id, app_id, pushkey, pusher_id, device_id, kind, app_display_name, device_display_name,"
    " profile_tag, lang, data, pushkey_ts, position) VALUES (:user_id, :app_id, :pushkey, :position, :device_id, :kind,"
    " :app_display_name, :device_display_name, :profile_tag, :lang, :data, :pushkey_ts, :position)"
    " ON CONFLICT (user_id, app_id, pushkey) DO UPDATE SET device_id = excluded.device_id, kind = excluded.kind,"
    " app_display_name = excluded.app_display_name, device_display_name = excluded.device_display_name,"
    " profile_tag = excluded.profile_tag, lang = excluded.lang, data = excluded.data, pushkey_ts = excluded.pushkey_ts"
)
def put_pusher(
    user_id: str,
    app_id: str,
    pushkey: str,
    position: int,
    device_id: str | None,
    kind: str,
    app_display_name: str,
    device_display_name: str,
    profile_tag: str | None,
    lang: str,
    data: str,
    pushkey_ts: int,
) -> Statement:
    """Make a pusher, or change it: what is queued for it stays."""


@statement("DELETE FROM pushers WHERE user_id = :user_id AND app_id = :app_id AND pushkey = :pushkey")
def delete_pusher(user_id: str, app_id: str, pushkey: str) -> Statement:
    """Forget one pusher."""


@statement("DELETE FROM pushers WHERE app_id = :app_id AND pushkey = :pushkey AND user_id <> :user_id")
def delete_pushers_of_others(user_id: str, app_id: str, pushkey: str) -> Statement:
    """The key belongs to this user alone; an empty user ID: to nobody any more."""


@statement("DELETE FROM pushers WHERE user_id = :user_id")
def delete_pushers_of_user(user_id: str) -> Statement:
    """Forget all pushers of a user."""


@statement("DELETE FROM pushers WHERE user_id = :user_id AND device_id = :device_id")
def delete_pushers_of_device(user_id: str, device_id: str) -> Statement:
    """Forget the pushers that a device's session set."""


@statement(
    "INSERT INTO push_queue (pusher_id, position, room_id, event_id, tweaks, created_ts) "
    "SELECT p.pusher_id, CAST(:position AS BIGINT), CAST(:room_id AS TEXT), CAST(:event_id AS TEXT), "
    "CAST(:tweaks AS TEXT), CAST(:created_ts AS BIGINT) FROM pushers AS p "
    "WHERE p.pusher_id = CAST(:pusher_id AS BIGINT) AND p.position < CAST(:position AS BIGINT) "
    "ON CONFLICT (pusher_id, position) DO NOTHING"
)
def queue_push(pusher_id: int, position: int, room_id: str, event_id: str, tweaks: str, created_ts: int) -> Statement:
    """Have something sent, unless the pusher is gone or further on."""


@statement("DELETE FROM push_queue WHERE pusher_id = :pusher_id AND position <= :position")
def end_push(pusher_id: int, position: int) -> Statement:
    """What was queued up to a position is sent, or need not be."""


@statement(
    "UPDATE pushers SET position = :position, badge = :badge WHERE pusher_id = :pusher_id AND position < :position"
)
def advance_pusher(pusher_id: int, position: int, badge: int) -> Statement:
    """Note how far a pusher has come, and the unread count that its device shows."""


@statement(
    "INSERT INTO mail_digests (pusher_id, sent_ts) VALUES (:pusher_id, :now)"
    " ON CONFLICT (pusher_id) DO UPDATE SET sent_ts = excluded.sent_ts"
)
def note_digest(pusher_id: int, now: int) -> Statement:
    """A digest is sent."""
