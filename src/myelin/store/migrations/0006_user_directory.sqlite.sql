CREATE TABLE user_directory (
    user_id TEXT PRIMARY KEY,
    is_local SMALLINT NOT NULL,
    display_name TEXT,
    avatar_url TEXT
) WITHOUT ROWID;

-- Words by which users are found: folded, UTF-8, so that a prefix is a range of bytes on both engines.
CREATE TABLE user_directory_words (
    word BLOB NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (word, user_id)
) WITHOUT ROWID;
CREATE INDEX user_directory_words_by_user ON user_directory_words (user_id, word);

-- Rooms whose members everybody may find.
CREATE TABLE user_directory_rooms (room_id TEXT PRIMARY KEY) WITHOUT ROWID;

-- Users and rooms that are not up to date above. Users of this server are written here by triggers, so that whoever
-- changes an account or a profile cannot forget it. (No OR IGNORE in them: the policy of an upsert that fires a trigger
-- wins over the trigger's own.)
CREATE TABLE user_directory_stale (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TRIGGER user_directory_new_user AFTER INSERT ON users BEGIN
    INSERT INTO user_directory_stale SELECT NEW.user_id
    WHERE NEW.user_id NOT IN (SELECT id FROM user_directory_stale);
END;
CREATE TRIGGER user_directory_changed_user AFTER UPDATE OF is_deactivated, is_locked ON users BEGIN
    INSERT INTO user_directory_stale SELECT NEW.user_id
    WHERE NEW.user_id NOT IN (SELECT id FROM user_directory_stale);
END;
CREATE TRIGGER user_directory_new_field AFTER INSERT ON profiles
WHEN NEW.field IN ('displayname', 'avatar_url') BEGIN
    INSERT INTO user_directory_stale SELECT NEW.user_id
    WHERE NEW.user_id NOT IN (SELECT id FROM user_directory_stale);
END;
CREATE TRIGGER user_directory_changed_field AFTER UPDATE ON profiles
WHEN NEW.field IN ('displayname', 'avatar_url') BEGIN
    INSERT INTO user_directory_stale SELECT NEW.user_id
    WHERE NEW.user_id NOT IN (SELECT id FROM user_directory_stale);
END;
CREATE TRIGGER user_directory_gone_field AFTER DELETE ON profiles
WHEN OLD.field IN ('displayname', 'avatar_url') BEGIN
    INSERT INTO user_directory_stale SELECT OLD.user_id
    WHERE OLD.user_id NOT IN (SELECT id FROM user_directory_stale);
END;
INSERT OR IGNORE INTO user_directory_stale SELECT user_id FROM users;
