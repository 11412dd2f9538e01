-- Up to where the log has been looked through for other servers, and which process does it until when.
CREATE TABLE sending_cursors (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_ts BIGINT NOT NULL,
    position BIGINT NOT NULL
) CLUSTERED;

CREATE TABLE destinations (
    server_name TEXT PRIMARY KEY,
    position BIGINT NOT NULL,            -- events up to here are sent, but for those in destination_rooms
    transaction_id TEXT,                 -- of the transaction that is under way
    contents TEXT                        -- what it holds, as JSON: event IDs, and position and number of EDUs
) CLUSTERED;
CREATE INDEX destinations_under_way ON destinations (server_name) WHERE transaction_id IS NOT NULL;

-- Rooms of which a server has not got everything.
CREATE TABLE destination_rooms (
    server_name TEXT NOT NULL,
    room_id TEXT NOT NULL,
    since BIGINT NOT NULL,               -- position of the first event that it lacks
    noted BIGINT NOT NULL,               -- what was known at this position is covered by the row
    PRIMARY KEY (server_name, room_id)
) CLUSTERED;

CREATE TABLE outgoing_edus (
    server_name TEXT NOT NULL,
    position BIGINT NOT NULL,
    number INTEGER NOT NULL,             -- order within the position
    replaces TEXT,                       -- a later one with the same text takes its place
    created_ts BIGINT NOT NULL,
    json BYTES NOT NULL,                 -- the whole EDU
    PRIMARY KEY (server_name, position, number)
) CLUSTERED;
CREATE INDEX outgoing_edus_by_position ON outgoing_edus (position);
CREATE INDEX outgoing_edus_by_text ON outgoing_edus (server_name, replaces) WHERE replaces IS NOT NULL;

-- Events of other servers that this one sends on, since they came into the room through it.
CREATE TABLE forwarded_events (
    position BIGKEY,
    room_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    origin TEXT NOT NULL                 -- the server that has it already
);

-- What other servers were last told of the devices and keys of our users.
CREATE TABLE announced_devices (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,             -- empty: the cross-signing keys
    digest BYTES NOT NULL,
    PRIMARY KEY (user_id, device_id)
) CLUSTERED;
CREATE TABLE device_streams (user_id TEXT PRIMARY KEY, stream_id BIGINT NOT NULL, device_id TEXT NOT NULL) CLUSTERED;

-- Messages for devices that came from other servers: each is taken once.
CREATE TABLE received_messages (
    origin TEXT NOT NULL,
    message_id TEXT NOT NULL,
    received_ts BIGINT NOT NULL,
    PRIMARY KEY (origin, message_id)
) CLUSTERED;

-- Devices and keys of other servers' users who share a room with ours.
CREATE TABLE remote_device_lists (
    user_id TEXT PRIMARY KEY,
    stream_id BIGINT NOT NULL,
    is_stale SMALLINT NOT NULL,          -- something was missed: the list is to be fetched anew
    attempts INTEGER NOT NULL,
    retry_ts BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX remote_device_lists_stale ON remote_device_lists (retry_ts) WHERE is_stale = 1;
CREATE TABLE remote_devices (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    display_name TEXT,
    json BYTES,                          -- identity keys; NULL: it has none
    PRIMARY KEY (user_id, device_id)
) CLUSTERED;
CREATE TABLE remote_cross_signing_keys (
    user_id TEXT NOT NULL,
    usage TEXT NOT NULL,                 -- master or self_signing
    json BYTES NOT NULL,
    PRIMARY KEY (user_id, usage)
) CLUSTERED;
