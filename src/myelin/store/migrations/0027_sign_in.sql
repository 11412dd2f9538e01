-- A browser in which somebody has signed in to the pages of the sign-in service. Its cookie's hash is the key.
CREATE TABLE browser_sessions (
    browser_session TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    methods TEXT NOT NULL,                   -- how the user proved to be one, as in RFC 8176, separated by spaces
    authenticated_ts BIGINT NOT NULL,
    created_ts BIGINT NOT NULL,
    last_seen_ts BIGINT NOT NULL,
    last_seen_ip TEXT,
    last_seen_agent TEXT
) CLUSTERED;
CREATE INDEX browser_sessions_by_user ON browser_sessions (user_id);
CREATE INDEX browser_sessions_by_last_seen ON browser_sessions (last_seen_ts);

-- Programs that may ask users for access (RFC 7591). The same metadata is registered once: `digest` is its hash.
CREATE TABLE oauth_clients (
    client_id TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    metadata TEXT NOT NULL,                  -- JSON
    created_ts BIGINT NOT NULL
) CLUSTERED;
CREATE UNIQUE INDEX oauth_clients_by_digest ON oauth_clients (digest);

-- An authorization on its way: asked for by a client, then allowed by a user, then exchanged for tokens.
CREATE TABLE oauth_grants (
    grant_id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    request TEXT NOT NULL,                   -- JSON: the parameters of the request, checked
    created_ts BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL,
    user_id TEXT,                            -- from here on NULL until a user allows it
    methods TEXT,
    authenticated_ts BIGINT,
    code_hash TEXT,
    code_expires_ts BIGINT,
    is_exchanged SMALLINT NOT NULL DEFAULT 0 -- 1: the code was used
) CLUSTERED;
CREATE UNIQUE INDEX oauth_grants_by_code ON oauth_grants (code_hash);
CREATE INDEX oauth_grants_by_expiry ON oauth_grants (expires_ts);

-- The same for a device without a browser (RFC 8628).
CREATE TABLE oauth_device_grants (
    device_code_hash TEXT PRIMARY KEY,
    user_code TEXT NOT NULL,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    asked_from TEXT NOT NULL,                -- the address that began it, for the user to see
    created_ts BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL,
    polled_ts BIGINT NOT NULL,
    state TEXT NOT NULL DEFAULT 'asked',     -- asked, allowed, denied or exchanged
    user_id TEXT,
    methods TEXT,
    authenticated_ts BIGINT
) CLUSTERED;
CREATE UNIQUE INDEX oauth_device_grants_by_user_code ON oauth_device_grants (user_code);
CREATE INDEX oauth_device_grants_by_expiry ON oauth_device_grants (expires_ts);

-- Which client a device's session belongs to. The tokens are in `sessions`, as those of every device.
CREATE TABLE oauth_sessions (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    grant_key TEXT NOT NULL,                 -- what began it: a grant's ID or a device code's hash
    created_ts BIGINT NOT NULL,
    PRIMARY KEY (user_id, device_id)
) CLUSTERED;
CREATE INDEX oauth_sessions_by_client ON oauth_sessions (client_id);
CREATE UNIQUE INDEX oauth_sessions_by_grant ON oauth_sessions (grant_key);

-- Refresh tokens that were replaced, and whose successor was used: who shows one again has stolen something, or was
-- stolen from.
CREATE TABLE spent_refresh_tokens (
    refresh_hash TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    spent_ts BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX spent_refresh_tokens_by_device ON spent_refresh_tokens (user_id, device_id);
CREATE INDEX spent_refresh_tokens_by_time ON spent_refresh_tokens (spent_ts);

-- Keys that sign ID tokens, sealed with a key of the data folder.
CREATE TABLE token_keys (
    key_id TEXT PRIMARY KEY,
    algorithm TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    retired_ts BIGINT                        -- NULL: it signs
) CLUSTERED;

-- An account that somebody is making on the pages, step by step.
CREATE TABLE account_drafts (
    draft TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    registration_token TEXT,
    leads_to TEXT NOT NULL,                  -- the page that comes afterwards; "": one's own account
    email TEXT,
    code_hash TEXT,                          -- of the code that was sent to the address last
    code_expires_ts BIGINT,
    code_tries INTEGER NOT NULL DEFAULT 0,
    codes_sent INTEGER NOT NULL DEFAULT 0,
    expires_ts BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX account_drafts_by_expiry ON account_drafts (expires_ts);

-- Users who have agreed on the pages that an app may replace their cross-signing keys.
CREATE TABLE cross_signing_resets (
    user_id TEXT PRIMARY KEY,
    expires_ts BIGINT NOT NULL
) CLUSTERED;
