-- Whose events are shown redacted to those who came in after this position of the log.
CREATE TABLE erased_users (
    user_id TEXT PRIMARY KEY,
    position BIGINT NOT NULL
) CLUSTERED;
INSERT INTO erased_users (user_id, position)
    SELECT user_id, (SELECT value FROM position WHERE name = 'log') FROM users WHERE is_erased = 1;
