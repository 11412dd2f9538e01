-- Words of messages, room names and topics, and a token that stands for the room.
CREATE TABLE event_search (
    position BIGINT PRIMARY KEY,
    words TSVECTOR NOT NULL
);
CREATE INDEX event_search_words ON event_search USING GIN (words);
