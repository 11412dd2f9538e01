-- Processes read back from the log which state began in a range of positions.
CREATE INDEX state_by_position ON state (from_pos);
