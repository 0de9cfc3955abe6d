-- The files that the gate kept for people to look at, as a JSON array; their contents lie in the state folder.

ALTER TABLE receipt ADD COLUMN files TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(files));
