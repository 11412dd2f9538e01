-- Whose events are shown redacted to those who came in after this position of the log.
CREATE TABLE erased_users (
    user_id TEXT PRIMARY KEY,
    position BIGINT NOT NULL
) CLUSTERED;
INSERT INTO erased_users (user_id, position)
    SELECT user_id, (SELECT value FROM position WHERE name = 'log') FROM users WHERE is_erased = 1;

-- Mail addresses that users have proven to be theirs.
CREATE TABLE third_party_ids (
    medium TEXT NOT NULL,
    address TEXT NOT NULL,               -- in the form that is compared: a mail address in lower case
    user_id TEXT NOT NULL,
    validated_ts BIGINT NOT NULL,
    added_ts BIGINT NOT NULL,
    PRIMARY KEY (medium, address)
) CLUSTERED;
CREATE INDEX third_party_ids_by_user ON third_party_ids (user_id);

-- Addresses that somebody is proving, by a link in a mail.
CREATE TABLE mail_validations (
    sid TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,               -- register, password or add
    client_secret TEXT NOT NULL,
    address TEXT NOT NULL,
    token_hash TEXT NOT NULL,            -- of the link that was sent last
    send_attempt BIGINT NOT NULL,
    next_link TEXT,
    validated_ts BIGINT,
    expires_ts BIGINT NOT NULL
) CLUSTERED;
CREATE UNIQUE INDEX mail_validations_by_client ON mail_validations (purpose, address, client_secret);
CREATE UNIQUE INDEX mail_validations_by_token ON mail_validations (token_hash);
CREATE INDEX mail_validations_by_expiry ON mail_validations (expires_ts);

-- Mail that is still to be sent; written with its cause.
CREATE TABLE mail_queue (
    mail_id TEXT PRIMARY KEY,
    recipient TEXT NOT NULL,
    template TEXT NOT NULL,
    arguments TEXT NOT NULL,             -- JSON
    created_ts BIGINT NOT NULL,
    due_ts BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    leased_until BIGINT NOT NULL DEFAULT 0
) CLUSTERED;
CREATE INDEX mail_queue_by_due ON mail_queue (due_ts);

-- When a pusher of kind email last had a digest.
CREATE TABLE mail_digests (
    pusher_id BIGINT PRIMARY KEY,
    sent_ts BIGINT NOT NULL
) CLUSTERED;
