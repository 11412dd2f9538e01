CREATE TABLE url_previews (
    url_hash BYTES PRIMARY KEY,          -- SHA-256 of the URL
    preview TEXT,                        -- the answer's JSON; NULL: there is none
    expires_ts BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX url_previews_by_expiry ON url_previews (expires_ts);

CREATE TABLE url_preview_images (
    media_id TEXT PRIMARY KEY,           -- of this server
    sha256 BYTES NOT NULL,
    expires_ts BIGINT NOT NULL
) CLUSTERED;
CREATE INDEX url_preview_images_by_expiry ON url_preview_images (expires_ts);
