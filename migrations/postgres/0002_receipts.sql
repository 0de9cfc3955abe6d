-- What a check ran on and in; empty in the receipts of older versions.
ALTER TABLE receipt
    ADD COLUMN tree text NOT NULL DEFAULT '',
    ADD COLUMN environment text NOT NULL DEFAULT '',
    ADD COLUMN sandbox text NOT NULL DEFAULT '',
    ADD COLUMN output_bytes bigint NOT NULL DEFAULT 0 CHECK (output_bytes >= 0);
