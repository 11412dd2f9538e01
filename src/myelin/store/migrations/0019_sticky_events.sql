-- Events that every client in a room gets to see while they last (MSC4354).
CREATE TABLE sticky_events (
    event_id TEXT NOT NULL PRIMARY KEY,
    room_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    position BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL           -- milliseconds
);
CREATE INDEX sticky_events_by_expiry ON sticky_events (expires_ts);

-- For how long a delayed event is to be sticky once it is sent.
ALTER TABLE delayed_events ADD COLUMN sticky_ms BIGINT;

-- The room in which a user gets the server's notices.
CREATE TABLE notice_rooms (
    user_id TEXT NOT NULL PRIMARY KEY,
    room_id TEXT NOT NULL
) CLUSTERED;
