-- The type that a room's create event names; NULL: none.
ALTER TABLE rooms ADD COLUMN room_type TEXT;

UPDATE rooms SET room_type = (
    SELECT json_extract(CAST(e.json AS TEXT), '$.content.type')
    FROM state AS s JOIN events AS e ON e.event_id = s.event_id
    WHERE s.room_id = rooms.room_id AND s.type = 'm.room.create' AND s.state_key = ''
    AND s.to_pos = 9223372036854775807 AND json_type(CAST(e.json AS TEXT), '$.content.type') = 'text'
);
