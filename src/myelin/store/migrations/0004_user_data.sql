-- Global and room account data, tags and read markers included. m.push_rules holds what the user changed, not what
-- clients are shown.
CREATE TABLE account_data (
    user_id TEXT NOT NULL,
    room_id TEXT NOT NULL,               -- empty: global
    type TEXT NOT NULL,
    position BIGINT NOT NULL,
    json BYTES NOT NULL,
    PRIMARY KEY (user_id, room_id, type)
) CLUSTERED;
CREATE INDEX account_data_by_position ON account_data (position);

CREATE TABLE receipts (
    room_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    receipt_type TEXT NOT NULL,
    thread_id TEXT NOT NULL,             -- empty: unthreaded
    event_id TEXT NOT NULL,
    event_position BIGINT NOT NULL,      -- where the event stands: a receipt only moves forward
    ts BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (room_id, user_id, receipt_type, thread_id)
) CLUSTERED;
CREATE INDEX receipts_by_position ON receipts (position);

CREATE TABLE presence_status (
    user_id TEXT PRIMARY KEY,
    status_msg TEXT NOT NULL
) CLUSTERED;
