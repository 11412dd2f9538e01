-- What the client of a sliding sync connection has been sent, where it is not said by the position that it sends along.
-- A value holds from its serial on, and the one before it until then: an answer may be lost, and is asked for again.
CREATE TABLE sliding_sync_connections (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    conn_id TEXT NOT NULL,
    connection BIGINT NOT NULL,          -- another one each time that the client begins anew
    base BIGINT NOT NULL,                -- the serial that the client is known to have seen
    serial BIGINT NOT NULL,              -- the newest one
    extensions TEXT NOT NULL,            -- which it has been answered, with commas
    extensions_before TEXT NOT NULL,
    required_states TEXT NOT NULL,       -- JSON list; rooms name one by its index
    touched_ts BIGINT NOT NULL,
    PRIMARY KEY (user_id, device_id, conn_id)
) CLUSTERED;
CREATE INDEX sliding_sync_connections_by_number ON sliding_sync_connections (connection);

CREATE TABLE sliding_sync_rooms (
    connection BIGINT NOT NULL,
    room_id TEXT NOT NULL,
    serial BIGINT NOT NULL,
    sent TEXT,                           -- NULL: nothing
    sent_before TEXT,
    PRIMARY KEY (connection, room_id)
) CLUSTERED;
