-- Addresses that were published on an identity server through this server, so that they can be taken back.
CREATE TABLE identity_bindings (
    user_id TEXT NOT NULL,
    medium TEXT NOT NULL,
    address TEXT NOT NULL,
    id_server TEXT NOT NULL,             -- host and perhaps port, as the client named it
    bound_ts BIGINT NOT NULL,
    PRIMARY KEY (user_id, medium, address, id_server)
) CLUSTERED;

-- Phone numbers that somebody is proving, at the identity server that sends the text messages.
CREATE TABLE phone_validations (
    sid TEXT PRIMARY KEY,                -- the session's ID at that server
    purpose TEXT NOT NULL,               -- register, password or add
    client_secret TEXT NOT NULL,
    address TEXT NOT NULL,               -- digits, the country's first
    validated_ts BIGINT,
    expires_ts BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX phone_validations_by_expiry ON phone_validations (expires_ts);

-- Who signs in at another place, and whom they are here.
CREATE TABLE upstream_accounts (
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,               -- what the provider calls them, for ever the same
    user_id TEXT NOT NULL,
    linked_ts BIGINT NOT NULL,
    PRIMARY KEY (provider, subject)
) CLUSTERED;
CREATE INDEX upstream_accounts_by_user ON upstream_accounts (user_id);
