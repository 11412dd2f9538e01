-- Events that are sent later unless somebody puts it off or calls it off (MSC4140).
CREATE TABLE delayed_events (
    delay_id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    txn_key TEXT NOT NULL,               -- one row for one request of a client
    room_id TEXT NOT NULL,
    type TEXT NOT NULL,
    state_key TEXT,
    content TEXT NOT NULL,               -- JSON
    delay_ms BIGINT NOT NULL,
    running_since BIGINT NOT NULL,       -- milliseconds
    send_at BIGINT NOT NULL,             -- milliseconds
    taken_ts BIGINT NOT NULL             -- when a process last began to send it
);
CREATE INDEX delayed_events_by_time ON delayed_events (send_at);
CREATE UNIQUE INDEX delayed_events_by_transaction ON delayed_events (user_id, txn_key);
