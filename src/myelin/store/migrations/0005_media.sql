CREATE TABLE media (
    origin TEXT NOT NULL,
    media_id TEXT NOT NULL,
    sha256 BYTES,                        -- where the file is; NULL: reserved, and not uploaded yet
    size BIGINT,
    content_type TEXT,
    filename TEXT,
    uploader TEXT,                       -- NULL for a copy of another server's media
    created_ts BIGINT NOT NULL,
    expires_ts BIGINT,                   -- until when a reserved media ID waits for its upload
    PRIMARY KEY (origin, media_id)
) CLUSTERED;
CREATE INDEX media_by_content ON media (sha256);
CREATE INDEX media_by_uploader ON media (uploader, created_ts);
CREATE INDEX media_pending ON media (uploader, expires_ts) WHERE sha256 IS NULL;

CREATE TABLE thumbnails (
    sha256 BYTES NOT NULL,               -- of the image that it was made from
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    method TEXT NOT NULL,
    animated SMALLINT NOT NULL,
    content_type TEXT NOT NULL,
    size BIGINT,                         -- NULL: the image itself is small enough
    created_ts BIGINT NOT NULL,
    PRIMARY KEY (sha256, width, height, method, animated)
) CLUSTERED;
