-- The files that the gate kept for people to look at, as a JSON array; their contents lie in the state folder.
ALTER TABLE receipt ADD COLUMN files json NOT NULL DEFAULT '[]';
