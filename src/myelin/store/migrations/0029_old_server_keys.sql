-- Answers of servers about keys that their later answers do not name any more: a notary forgets none because of that.
CREATE TABLE old_server_key_answers (
    server_name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    answer TEXT NOT NULL,                -- JSON
    valid_until_ts BIGINT NOT NULL,
    PRIMARY KEY (server_name, key_id)
) CLUSTERED;
