-- What a check ran on and in; empty in the receipts of older versions.
ALTER TABLE receipt ADD COLUMN tree TEXT NOT NULL DEFAULT '';
ALTER TABLE receipt ADD COLUMN environment TEXT NOT NULL DEFAULT '';
ALTER TABLE receipt ADD COLUMN sandbox TEXT NOT NULL DEFAULT '';
ALTER TABLE receipt ADD COLUMN output_bytes INTEGER NOT NULL DEFAULT 0 CHECK (output_bytes >= 0);
