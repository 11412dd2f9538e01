-- Places where two devices leave messages for each other while one signs in the other (MSC4108, MSC4388).
CREATE TABLE rendezvous (
    session_id TEXT NOT NULL PRIMARY KEY,
    data BYTES NOT NULL,
    serial BIGINT NOT NULL,              -- how often it was written
    modified_ts BIGINT NOT NULL,         -- milliseconds
    expires_ts BIGINT NOT NULL           -- milliseconds
);
CREATE INDEX rendezvous_by_expiry ON rendezvous (expires_ts);

-- A user's one device that nobody is signed in on (MSC3814).
CREATE TABLE dehydrated_devices (
    user_id TEXT NOT NULL PRIMARY KEY,
    device_id TEXT NOT NULL,
    device_data TEXT NOT NULL            -- JSON
) CLUSTERED;

-- Threads that users subscribed to, or unsubscribed from (MSC4306).
CREATE TABLE thread_subscriptions (
    user_id TEXT NOT NULL,
    room_id TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    is_subscribed SMALLINT NOT NULL,
    is_automatic SMALLINT NOT NULL,
    position BIGINT NOT NULL,            -- of the last change
    PRIMARY KEY (user_id, room_id, thread_id)
) CLUSTERED;
CREATE INDEX thread_subscriptions_by_position ON thread_subscriptions (position);
CREATE INDEX thread_subscriptions_by_user ON thread_subscriptions (user_id, position);
