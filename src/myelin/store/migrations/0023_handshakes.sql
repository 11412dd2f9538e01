-- Rooms of which the members are still to be fetched.
CREATE TABLE partial_rooms (
    room_id TEXT PRIMARY KEY,
    join_event_id TEXT NOT NULL,
    servers TEXT NOT NULL,               -- JSON list: who was in the room at the join; the first took us in
    created_ts BIGINT NOT NULL,
    taken_ts BIGINT NOT NULL DEFAULT 0,  -- when a process last began to fetch
    failures BIGINT NOT NULL DEFAULT 0
) CLUSTERED;
