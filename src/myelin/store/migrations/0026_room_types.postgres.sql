-- The type that a room's create event names; NULL: none.
ALTER TABLE rooms ADD COLUMN room_type TEXT;

-- A NUL, which text cannot hold, may be anywhere in an event: such a one names none.
UPDATE rooms SET room_type = t.room_type FROM (
    SELECT s.room_id, convert_from(e.json, 'UTF8')::json #>> '{content,type}' AS room_type
    FROM state AS s JOIN events AS e ON e.event_id = s.event_id
    WHERE s.type = 'm.room.create' AND s.state_key = '' AND s.to_pos = 9223372036854775807
    AND CASE WHEN position('\u0000' IN convert_from(e.json, 'UTF8')) > 0 THEN FALSE
        ELSE json_typeof(convert_from(e.json, 'UTF8')::json #> '{content,type}') = 'string' END
) AS t WHERE t.room_id = rooms.room_id;
