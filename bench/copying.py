"""Copy rooms within Synapse's SQLite database: ten thousand made one by one through its API take it hours here.

A copy is row for row what Synapse wrote for a room that was made through the API, under new IDs and later positions,
for another owner. Left out is the full-text index, which no operation that works on these rooms asks for.
"""

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import orjson

from bench.servers import ROOM_VERSION
from myelin.matrix.events.hashes import event_id_of
from myelin.matrix.room_versions import ROOM_VERSIONS

_ID = re.compile(r"(?<=[!$])[A-Za-z0-9_-]{43}")
# The columns that say which rooms and events a row is about, and the counters that a copy moves on by.
_TABLES = {
    "rooms": "room_id", "room_depth": "room_id", "events": "room_id", "event_json": "room_id",
    "state_events": "room_id", "current_state_events": "room_id", "current_state_delta_stream": "room_id",
    "event_auth": "room_id", "event_edges": "event_id", "event_forward_extremities": "room_id",
    "event_to_state_groups": "event_id", "event_auth_chains": "event_id", "event_auth_chain_links": "origin_chain_id",
    "local_current_membership": "room_id", "room_memberships": "room_id", "room_stats_current": "room_id",
    "room_stats_state": "room_id", "sliding_sync_joined_rooms": "room_id",
    "sliding_sync_membership_snapshots": "room_id", "state_groups": "room_id", "state_groups_state": "room_id",
    "state_group_edges": "state_group", "stream_ordering_to_exterm": "room_id",
}  # fmt: skip
_MEMBERS_OF = {
    "room_id": "SELECT room_id FROM templates",
    "event_id": "SELECT event_id FROM events JOIN templates USING (room_id)",
    "origin_chain_id": "SELECT chain_id FROM event_auth_chains JOIN events USING (event_id) "
    "JOIN templates USING (room_id)",
    "state_group": "SELECT id FROM state_groups JOIN templates USING (room_id)",
}
_COUNTERS = {
    "stream": ("stream_ordering", "event_stream_ordering", "bump_stamp", "stream_id", "completed_delta_stream_id"),
    "group": ("state_group", "prev_state_group"),
    "chain": ("chain_id", "origin_chain_id", "target_chain_id"),
    "time": ("origin_server_ts",),
}
_LAST = {
    "stream": "SELECT max(stream_ordering) FROM events",
    "group": "SELECT max(id) FROM state_groups",
    "chain": "SELECT max(chain_id) FROM event_auth_chains",
}
_EVENTS = """
SELECT event_id, json FROM event_json JOIN templates USING (room_id) JOIN events USING (event_id)
ORDER BY stream_ordering
"""
# How far Synapse's own background work has come: it has nothing to do for copies.
_CAUGHT_UP = (
    "UPDATE stats_incremental_position SET stream_id = ?",
    "UPDATE user_directory_stream_pos SET stream_id = ?",
    "UPDATE federation_stream_position SET stream_id = ? WHERE type = 'events'",
    "UPDATE event_push_summary_stream_ordering SET stream_ordering = ?",
)

Convert = Callable[[object], object]


def copy_rooms(path: Path, templates_of: str, owner: str, count: int) -> None:
    """Copy rooms that one user created until another one has `count`; the server must be stopped."""
    with closing(sqlite3.connect(path)) as database, database:
        created = "SELECT room_id FROM rooms WHERE creator = ?"
        room_ids = [room_id for (room_id,) in database.execute(created, (templates_of,))]
        lacking = count - len(database.execute(created, (owner,)).fetchall())
        database.execute("CREATE TEMPORARY TABLE templates (room_id TEXT PRIMARY KEY)")
        for number in range(0, lacking, len(room_ids)):
            chosen = room_ids[: lacking - number]
            database.execute("DELETE FROM templates")
            database.executemany("INSERT INTO templates VALUES (?)", [(room_id,) for room_id in chosen])
            _copy(database, (templates_of, owner), number + 1)
        (last,) = database.execute(_LAST["stream"]).fetchone()
        for statement in _CAUGHT_UP:
            database.execute(statement, (last,))


def _copy(database: sqlite3.Connection, owners: tuple[str, str], number: int) -> None:
    """Copy the rooms in `templates` once; what makes the events others than those is their time."""
    offsets = {counter: database.execute(query).fetchone()[0] for counter, query in _LAST.items()} | {"time": number}
    ids: dict[str, str] = {}

    def text(value: object) -> object:
        if not isinstance(value, str):
            return value
        return _ID.sub(lambda found: ids.get(found[0], found[0]), value.replace(*owners))

    def event(value: object) -> object:
        copy = orjson.loads(str(text(value)))
        return orjson.dumps({**copy, "origin_server_ts": copy["origin_server_ts"] + number}).decode()

    for event_id, json in database.execute(_EVENTS).fetchall():
        # Events only speak of earlier ones; a room has the name of its first event.
        ids[event_id[1:]] = event_id_of(orjson.loads(str(event(json))), ROOM_VERSIONS[ROOM_VERSION])[1:]

    copied: dict[str, list[Sequence[object]]] = {}
    for table, key in _TABLES.items():
        cursor = database.execute(f"SELECT * FROM {table} WHERE {key} IN ({_MEMBERS_OF[key]})")
        columns = [column[0] for column in cursor.description]
        convert = [
            event if (table, name) == ("event_json", "json") else
            _moved(offsets[counter]) if (counter := _counter(table, name)) else text
            for name in columns
        ]  # fmt: skip
        copied[table] = [[c(value) for c, value in zip(convert, row, strict=True)] for row in cursor]
    for table, rows in copied.items():
        if rows:
            database.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)


def _counter(table: str, column: str) -> str | None:
    if (table, column) == ("state_groups", "id"):
        return "group"
    return next((counter for counter, columns in _COUNTERS.items() if column in columns), None)


def _moved(offset: int) -> Convert:
    return lambda value: value + offset if isinstance(value, int) else value
