-- Keys that other servers sign with, or did.
CREATE TABLE server_keys (
    server_name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    public_key TEXT NOT NULL,            -- unpadded Base64
    valid_until_ts BIGINT NOT NULL,      -- milliseconds; of an old key when it was last used
    is_old SMALLINT NOT NULL,            -- 1: good for events only
    PRIMARY KEY (server_name, key_id)
) CLUSTERED;

-- The last answer of each server about its keys, as this server passes it on.
CREATE TABLE server_key_answers (
    server_name TEXT PRIMARY KEY,
    answer TEXT NOT NULL,                -- JSON
    fetched_ts BIGINT NOT NULL,
    valid_until_ts BIGINT NOT NULL
) CLUSTERED;

-- Servers that failed, and when they are asked again; 0 failures: a server that came back.
CREATE TABLE peer_backoffs (
    server_name TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,            -- in a row
    retry_at_ts BIGINT NOT NULL,
    changed_ts BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX peer_backoffs_by_change ON peer_backoffs (changed_ts);
