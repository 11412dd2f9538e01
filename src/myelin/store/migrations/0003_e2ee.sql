CREATE TABLE device_keys (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    json BYTES NOT NULL,                 -- as the device uploaded them
    PRIMARY KEY (user_id, device_id)
) CLUSTERED;

CREATE TABLE one_time_keys (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    upload BIGINT NOT NULL,              -- position of the upload: earlier ones are given out first
    json BYTES NOT NULL,
    PRIMARY KEY (user_id, device_id, algorithm, key_id)
) CLUSTERED;
CREATE INDEX one_time_keys_in_order ON one_time_keys (user_id, device_id, algorithm, upload);

CREATE TABLE fallback_keys (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    is_used SMALLINT NOT NULL DEFAULT 0,
    json BYTES NOT NULL,
    PRIMARY KEY (user_id, device_id, algorithm)
) CLUSTERED;

-- One row a device: when its one-time or fallback keys last changed, so that every process hears of it.
CREATE TABLE key_count_changes (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (user_id, device_id)
) CLUSTERED;
CREATE INDEX key_count_changes_by_position ON key_count_changes (position);

CREATE TABLE cross_signing_keys (
    user_id TEXT NOT NULL,
    usage TEXT NOT NULL,                 -- master, self_signing or user_signing
    public_key TEXT NOT NULL,
    json BYTES NOT NULL,
    PRIMARY KEY (user_id, usage)
) CLUSTERED;

-- Signatures that users made about keys after these were uploaded; target_id is a device ID or a public key.
CREATE TABLE key_signatures (
    target_user_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    signer_user_id TEXT NOT NULL,
    signer_key_id TEXT NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (target_user_id, target_id, signer_user_id, signer_key_id)
) CLUSTERED;

-- One row a user: when their devices or keys last changed. A signature made with a user-signing key is a change that
-- only its maker may see.
CREATE TABLE device_list_changes (
    user_id TEXT NOT NULL,
    only_for TEXT NOT NULL DEFAULT '',   -- empty: for everyone who shares a room
    position BIGINT NOT NULL,
    PRIMARY KEY (user_id, only_for)
) CLUSTERED;
CREATE INDEX device_list_changes_by_position ON device_list_changes (position);

CREATE TABLE key_backups (
    user_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    algorithm TEXT NOT NULL,
    auth_data BYTES NOT NULL,
    etag BIGINT NOT NULL DEFAULT 0,
    count BIGINT NOT NULL DEFAULT 0,
    is_deleted SMALLINT NOT NULL DEFAULT 0,   -- the row stays: a version is never given twice
    PRIMARY KEY (user_id, version)
) CLUSTERED;

CREATE TABLE key_backup_sessions (
    user_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    room_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    first_message_index BIGINT NOT NULL,
    forwarded_count BIGINT NOT NULL,
    is_verified SMALLINT NOT NULL,
    session_data BYTES NOT NULL,
    PRIMARY KEY (user_id, version, room_id, session_id)
) CLUSTERED;

CREATE TABLE to_device_messages (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    json BYTES NOT NULL,
    PRIMARY KEY (user_id, device_id, position)
) CLUSTERED;
CREATE INDEX to_device_messages_by_position ON to_device_messages (position);
