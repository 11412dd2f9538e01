CREATE TABLE users (
    user_id TEXT PRIMARY KEY,
    kind TEXT NOT NULL DEFAULT 'user',       -- user or guest
    password_hash TEXT,                      -- Argon2id, encoded; NULL: no password signs in
    is_admin SMALLINT NOT NULL DEFAULT 0,
    is_locked SMALLINT NOT NULL DEFAULT 0,
    is_suspended SMALLINT NOT NULL DEFAULT 0,
    is_deactivated SMALLINT NOT NULL DEFAULT 0,
    is_erased SMALLINT NOT NULL DEFAULT 0,
    appservice_id TEXT,                      -- the application service that made the account
    created_ts BIGINT NOT NULL
) CLUSTERED;

CREATE TABLE devices (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    display_name TEXT,
    created_ts BIGINT NOT NULL,
    last_seen_ts BIGINT,
    last_seen_ip TEXT,
    last_seen_agent TEXT,
    PRIMARY KEY (user_id, device_id)
) CLUSTERED;

-- An access token and, for clients that take one, its refresh token; hashes only. A pair made by a refresh names the
-- pair it replaces as its parent until it is first used; then the parent is deleted.
CREATE TABLE sessions (
    session TEXT PRIMARY KEY,                -- hash of the access token
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    expires_ts BIGINT,                       -- of the access token; NULL: never
    refresh_hash TEXT,
    refresh_expires_ts BIGINT,
    parent TEXT
) CLUSTERED;
CREATE INDEX sessions_by_device ON sessions (user_id, device_id);
CREATE UNIQUE INDEX sessions_by_refresh_token ON sessions (refresh_hash);
CREATE INDEX sessions_by_parent ON sessions (parent);

-- What is no row of its own, but other processes must hear of.
CREATE TABLE signals (
    position BIGINT NOT NULL,
    kind TEXT NOT NULL,                      -- sessions_ended or profile_changed
    user_id TEXT NOT NULL,
    about TEXT                               -- the device (NULL: all of them), or the profile's field
);
CREATE INDEX signals_by_position ON signals (position);

CREATE TABLE uia_sessions (
    session TEXT PRIMARY KEY,
    operation TEXT NOT NULL,                 -- method, path and user that it was begun for
    body_hash TEXT NOT NULL,
    body TEXT NOT NULL,                      -- the request without passwords
    expires_ts BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX uia_sessions_by_expiry ON uia_sessions (expires_ts);

CREATE TABLE uia_stages (
    session TEXT NOT NULL,
    stage TEXT NOT NULL,
    result TEXT NOT NULL,                    -- what the stage found, such as the registration token
    PRIMARY KEY (session, stage)
) CLUSTERED;
CREATE INDEX uia_stages_by_result ON uia_stages (stage, result);

CREATE TABLE registration_tokens (
    token TEXT PRIMARY KEY,
    uses_allowed BIGINT,                     -- NULL: any number
    completed BIGINT NOT NULL DEFAULT 0,
    expires_ts BIGINT,
    created_ts BIGINT NOT NULL
) CLUSTERED;

CREATE TABLE login_tokens (
    token_hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    expires_ts BIGINT NOT NULL
) CLUSTERED;

CREATE TABLE openid_tokens (
    token_hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    expires_ts BIGINT NOT NULL
) CLUSTERED;

CREATE TABLE profiles (
    user_id TEXT NOT NULL,
    field TEXT NOT NULL,
    value TEXT NOT NULL,                     -- JSON
    size BIGINT NOT NULL,                    -- bytes that the field takes in the profile's JSON
    PRIMARY KEY (user_id, field)
) CLUSTERED;

CREATE TABLE filters (
    user_id TEXT NOT NULL,
    filter_id TEXT NOT NULL,                 -- from the content's hash: the same filter is stored once
    json TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    PRIMARY KEY (user_id, filter_id)
) CLUSTERED;
