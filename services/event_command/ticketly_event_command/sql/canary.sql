-- name: write_canary
-- The one row of the table gets the next number and the database's time, unless somebody wrote within $1 seconds: any
-- number of processes together keep one pace. A time ahead of the clock (it was set back) holds nobody up.
INSERT INTO lag_canary AS c (id, ts, beat) VALUES (1, clock_timestamp(), 1)
ON CONFLICT (id) DO UPDATE SET ts = clock_timestamp(), beat = c.beat + 1
    WHERE c.ts <= clock_timestamp() - make_interval(secs => $1) OR c.ts > clock_timestamp()

-- name: last_canary
-- The newest number with its time, and what the same clock shows now, both in microseconds since 1970.
SELECT beat,
    (extract(epoch FROM ts) * 1000000)::bigint AS written_at,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now
FROM lag_canary
WHERE id = 1
