CREATE TABLE pushers (
    user_id TEXT NOT NULL,
    app_id TEXT NOT NULL,
    pushkey TEXT NOT NULL,
    pusher_id BIGINT NOT NULL,           -- position of the write that made it
    device_id TEXT,                      -- whose session set it, and with which it ends
    kind TEXT NOT NULL,
    app_display_name TEXT NOT NULL,
    device_display_name TEXT NOT NULL,
    profile_tag TEXT,
    lang TEXT NOT NULL,
    data TEXT NOT NULL,                  -- JSON
    pushkey_ts BIGINT NOT NULL,          -- milliseconds
    position BIGINT NOT NULL,            -- events up to here are sent, or need not be
    badge BIGINT NOT NULL DEFAULT 0,     -- the unread count that was sent last
    PRIMARY KEY (user_id, app_id, pushkey)
) CLUSTERED;
CREATE UNIQUE INDEX pushers_by_id ON pushers (pusher_id);
CREATE INDEX pushers_by_pushkey ON pushers (app_id, pushkey);

-- What is still to be sent, in order of position.
CREATE TABLE push_queue (
    pusher_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    room_id TEXT NOT NULL,
    event_id TEXT NOT NULL,              -- empty: only the unread count
    tweaks TEXT NOT NULL,                -- JSON
    created_ts BIGINT NOT NULL,
    PRIMARY KEY (pusher_id, position)
) CLUSTERED;

-- Up to where the log has been looked through, and which process does it until when.
CREATE TABLE push_cursors (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    expires_ts BIGINT NOT NULL,
    position BIGINT NOT NULL
) CLUSTERED;
