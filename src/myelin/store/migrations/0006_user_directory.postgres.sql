CREATE TABLE user_directory (
    user_id TEXT PRIMARY KEY,
    is_local SMALLINT NOT NULL,
    display_name TEXT,
    avatar_url TEXT
);

-- Words by which users are found: folded, UTF-8, so that a prefix is a range of bytes on both engines.
CREATE TABLE user_directory_words (
    word BYTEA NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (word, user_id)
);
CREATE INDEX user_directory_words_by_user ON user_directory_words (user_id, word);

-- Rooms whose members everybody may find.
CREATE TABLE user_directory_rooms (room_id TEXT PRIMARY KEY);

-- Users and rooms that are not up to date above. Users of this server are written here by triggers, so that whoever
-- changes an account or a profile cannot forget it.
CREATE TABLE user_directory_stale (id TEXT PRIMARY KEY);
CREATE FUNCTION user_directory_mark_new() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN
    INSERT INTO user_directory_stale VALUES (NEW.user_id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $body$;
CREATE FUNCTION user_directory_mark_old() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN
    INSERT INTO user_directory_stale VALUES (OLD.user_id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $body$;
CREATE TRIGGER user_directory_new_user AFTER INSERT OR UPDATE OF is_deactivated, is_locked ON users
FOR EACH ROW EXECUTE FUNCTION user_directory_mark_new();
CREATE TRIGGER user_directory_changed_field AFTER INSERT OR UPDATE ON profiles
FOR EACH ROW WHEN (NEW.field IN ('displayname', 'avatar_url')) EXECUTE FUNCTION user_directory_mark_new();
CREATE TRIGGER user_directory_gone_field AFTER DELETE ON profiles
FOR EACH ROW WHEN (OLD.field IN ('displayname', 'avatar_url')) EXECUTE FUNCTION user_directory_mark_old();
INSERT INTO user_directory_stale SELECT user_id FROM users;
