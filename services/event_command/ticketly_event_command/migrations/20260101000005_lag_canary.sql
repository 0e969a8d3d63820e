-- migrate:up
-- The canary's number: readers tell by it which beats have arrived, whatever the clocks say.
ALTER TABLE lag_canary ADD COLUMN beat bigint NOT NULL DEFAULT 0;

-- migrate:down
