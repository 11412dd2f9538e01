-- Application services that were added beside those of the configuration.
CREATE TABLE appservices (
    appservice_id TEXT PRIMARY KEY,
    registration TEXT NOT NULL,          -- JSON of the registration file, with a hash instead of the as_token
    added_ts BIGINT NOT NULL             -- milliseconds
) CLUSTERED;

-- How often the table above changed, so that every process sees that it did.
CREATE TABLE appservice_revisions (
    name TEXT PRIMARY KEY,
    revision BIGINT NOT NULL
) CLUSTERED;
INSERT INTO appservice_revisions (name, revision) VALUES ('appservices', 0);

-- Up to where the log was sent to each, which process does that until when, and the transaction that is under way.
CREATE TABLE appservice_cursors (
    name TEXT PRIMARY KEY,               -- the application service's ID
    holder TEXT NOT NULL,
    expires_ts BIGINT NOT NULL,
    position BIGINT NOT NULL,
    begun_ts BIGINT NOT NULL,            -- the first part of its transaction IDs
    txn_number BIGINT NOT NULL DEFAULT 0,
    txn_body BYTES                       -- NULL: the application service has everything up to the position
) CLUSTERED;

-- Rooms in the directories of bridged networks.
CREATE TABLE appservice_rooms (
    appservice_id TEXT NOT NULL,
    network_id TEXT NOT NULL,
    room_id TEXT NOT NULL,
    PRIMARY KEY (appservice_id, network_id, room_id)
) CLUSTERED;
CREATE INDEX appservice_rooms_by_room ON appservice_rooms (room_id);
