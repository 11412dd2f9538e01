-- Words of messages, room names and topics; rowid is the event's position. Holds no text, only the words' places.
-- To delete a row, the very words that were inserted must be given again.
CREATE VIRTUAL TABLE event_search USING fts5 (
    words,                               -- folded, with a space between them
    room,                                -- a token that stands for the room, so that the index can tell rooms apart
    content = '',
    tokenize = "unicode61 remove_diacritics 0 categories 'L* N* Co M*'"
);

-- New rows wait here: the index takes many at once for a fraction of what it costs to take one.
CREATE TABLE event_search_waiting (
    position INTEGER PRIMARY KEY,
    words TEXT NOT NULL,
    room TEXT NOT NULL
);
