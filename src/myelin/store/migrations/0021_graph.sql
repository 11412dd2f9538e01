-- Position of the event by which this server last came into the room: what stands before it does not lead up to it.
ALTER TABLE rooms ADD COLUMN floor BIGINT NOT NULL DEFAULT -4611686018427387904;

-- Of a room that was joined without its members: from where on they were all known.
ALTER TABLE rooms ADD COLUMN whole_since BIGINT NOT NULL DEFAULT -4611686018427387904;

-- Where a room moved on without an event that is shown, or with more than its event says.
CREATE TABLE room_moves (
    position BIGKEY,
    room_id TEXT NOT NULL,
    ended TEXT NOT NULL,                 -- JSON list of [type, state_key]: entries of the state that ended without a new one
    is_gap SMALLINT NOT NULL             -- 1: what came right before is not here
);

-- Events that others in the timeline hang on, and that are not in the timeline themselves.
CREATE TABLE missing_events (
    room_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    referrer TEXT NOT NULL,              -- an event that hangs on it
    tries INTEGER NOT NULL DEFAULT 0,    -- how often nobody could give it
    PRIMARY KEY (room_id, event_id)
) CLUSTERED;

-- Redactions that came before what they redact.
CREATE TABLE awaited_redactions (
    redacts TEXT NOT NULL,
    event_id TEXT NOT NULL,
    room_id TEXT NOT NULL,
    PRIMARY KEY (redacts, event_id)
) CLUSTERED;

-- What other servers were answered to their transactions.
CREATE TABLE received_transactions (
    origin TEXT NOT NULL,
    txn_id TEXT NOT NULL,
    response TEXT NOT NULL,
    received_ts BIGINT NOT NULL,
    PRIMARY KEY (origin, txn_id)
) CLUSTERED;
CREATE INDEX received_transactions_by_age ON received_transactions (received_ts);

-- Events whose sender was answered before they were taken in: a JSON list.
CREATE TABLE slow_events (
    origin TEXT NOT NULL,
    txn_id TEXT NOT NULL,
    json BYTES NOT NULL,
    PRIMARY KEY (origin, txn_id)
) CLUSTERED;
