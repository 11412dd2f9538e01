CREATE TABLE server_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) CLUSTERED;

-- The log's counter; its row lock is the one mutex of all writers. Backfilled events take theirs from 'backward'.
CREATE TABLE position (name TEXT PRIMARY KEY, value BIGINT NOT NULL) CLUSTERED;
INSERT INTO position (name, value) VALUES ('log', 0), ('backward', 0);

CREATE TABLE rooms (
    room_id TEXT PRIMARY KEY,
    room_version TEXT NOT NULL,
    version BIGINT NOT NULL,        -- position of the last event written: the guard of optimistic writers
    extremities TEXT NOT NULL,      -- JSON list of event IDs
    depth BIGINT NOT NULL
) CLUSTERED;

CREATE TABLE events (
    position BIGKEY,
    event_id TEXT NOT NULL,
    room_id TEXT NOT NULL,
    type TEXT NOT NULL,
    sender TEXT NOT NULL,
    state_key TEXT,
    origin_server_ts BIGINT NOT NULL,
    flags SMALLINT NOT NULL DEFAULT 0,   -- 0 in the timeline, 1 outlier, 2 rejected, 4 soft-failed
    state_base BIGINT,                   -- state before it: the room's at this position; NULL: right before its own
    state_delta TEXT,                    -- and how it differs from that: JSON list of [type, state_key, event_id]
    redacted_by TEXT,
    txn TEXT,                            -- device ID, newline, transaction ID of the client that sent it
    json BYTES NOT NULL
);
CREATE UNIQUE INDEX events_by_id ON events (event_id);
CREATE INDEX events_by_room ON events (room_id, position);

-- Current and past state: a row holds from from_pos (included) to to_pos (not included).
CREATE TABLE state (
    room_id TEXT NOT NULL,
    type TEXT NOT NULL,
    state_key TEXT NOT NULL,
    from_pos BIGINT NOT NULL,
    to_pos BIGINT NOT NULL DEFAULT 9223372036854775807,
    event_id TEXT NOT NULL,
    membership TEXT,
    PRIMARY KEY (room_id, type, state_key, from_pos)
) CLUSTERED;
CREATE INDEX state_memberships ON state (state_key, room_id, from_pos) WHERE type = 'm.room.member';

CREATE TABLE forgotten_rooms (
    user_id TEXT NOT NULL,
    room_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (user_id, room_id)
) CLUSTERED;

CREATE TABLE relations (
    relates_to TEXT NOT NULL,
    position BIGINT NOT NULL,
    event_id TEXT NOT NULL,
    room_id TEXT NOT NULL,
    rel_type TEXT NOT NULL,
    type TEXT NOT NULL,
    sender TEXT NOT NULL,
    aggregation_key TEXT,
    PRIMARY KEY (relates_to, position)
) CLUSTERED;
CREATE INDEX relations_by_room ON relations (room_id, rel_type, position);

-- What a client asked for once is done once: key is a hash of device, endpoint and transaction ID.
CREATE TABLE transactions (
    user_id TEXT NOT NULL,
    key BYTES NOT NULL,
    result TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    PRIMARY KEY (user_id, key)
) CLUSTERED;

CREATE TABLE room_aliases (
    room_alias TEXT PRIMARY KEY,
    room_id TEXT NOT NULL,
    creator TEXT NOT NULL,
    created_ts BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX room_aliases_by_room ON room_aliases (room_id);

CREATE TABLE published_rooms (room_id TEXT PRIMARY KEY) CLUSTERED;

CREATE TABLE reports (
    report_id BIGKEY,
    kind TEXT NOT NULL,                  -- event, room or user
    reporter TEXT NOT NULL,
    room_id TEXT,
    event_id TEXT,
    user_id TEXT,
    reason TEXT NOT NULL,
    created_ts BIGINT NOT NULL
);
