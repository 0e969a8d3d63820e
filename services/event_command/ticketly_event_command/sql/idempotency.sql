-- name: claim_idempotency_key
-- Waits for a concurrent first attempt; returns nothing when a fresh answer is stored. Older than a day counts as new.
INSERT INTO idempotency_keys AS k (subject, route, key, body_digest) VALUES ($1, $2, $3, $4)
ON CONFLICT (subject, route, key) DO UPDATE
    SET body_digest = excluded.body_digest, status = NULL, etag = NULL, body = NULL, created_at = now()
    WHERE k.created_at < now() - interval '24 hours'
RETURNING true

-- name: idempotent_answer
SELECT body_digest, status, etag, body FROM idempotency_keys WHERE subject = $1 AND route = $2 AND key = $3

-- name: store_idempotent_answer
UPDATE idempotency_keys SET status = $4, etag = $5, body = $6 WHERE subject = $1 AND route = $2 AND key = $3

-- name: purge_idempotency_keys
-- A few at a time, beside each new key: no job needed and never a long statement.
DELETE FROM idempotency_keys WHERE ctid IN (
    SELECT ctid FROM idempotency_keys WHERE created_at < now() - interval '25 hours' LIMIT 20 FOR UPDATE SKIP LOCKED
)
