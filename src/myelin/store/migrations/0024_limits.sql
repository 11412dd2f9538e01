-- When a copy of another server's media was last asked for, by the hour; NULL: not since it was fetched.
ALTER TABLE media ADD COLUMN last_access_ts BIGINT;

-- For whom a waiting message counts: a user of this server, or the server of another's; '' where that is not known.
ALTER TABLE to_device_messages ADD COLUMN sender TEXT NOT NULL DEFAULT '';
