-- What is still to be done in all rooms of a user, kept until it is done.
CREATE TABLE room_tasks (
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,                  -- profile: show the new name; leave: the account is gone
    created_ts BIGINT NOT NULL,
    taken_ts BIGINT NOT NULL,            -- when a process last began with it
    PRIMARY KEY (user_id, kind)
) CLUSTERED;

CREATE INDEX room_aliases_by_creator ON room_aliases (creator);
CREATE INDEX forgotten_rooms_by_position ON forgotten_rooms (position);
