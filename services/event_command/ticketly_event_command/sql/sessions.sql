-- name: insert_session
INSERT INTO event_sessions (id, event_id, start_time, end_time, sales_start_time, sales_end_time, status, session_type,
                            venue_details, time_zone, seat_count)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: insert_seating_map
INSERT INTO session_seating_maps (id, event_session_id, layout_data, layout_version) VALUES ($1, $2, $3, 1)

-- name: session_event
SELECT event_id FROM event_sessions WHERE id = $1

-- name: session
SELECT s.*, o.user_id AS owner_id, e.organization_id, e.status AS event_status, e.currency
FROM event_sessions s JOIN events e ON e.id = s.event_id JOIN organizations o ON o.id = e.organization_id
WHERE s.id = $1

-- name: lock_session
-- The event's row is locked before.
SELECT * FROM event_sessions WHERE id = $1 FOR NO KEY UPDATE

-- name: sessions_of_event
SELECT * FROM event_sessions WHERE event_id = $1 ORDER BY start_time, id

-- name: count_sessions_of_event
SELECT count(*) FROM event_sessions WHERE event_id = $1

-- name: seating_map
SELECT layout_data FROM session_seating_maps WHERE event_session_id = $1

-- name: seats
SELECT id, block_id, row_id, label, tier_id, blocked, accessible, companion, restricted_view
FROM session_seats WHERE session_id = $1 ORDER BY position, id

-- name: seat_ids
SELECT id FROM session_seats WHERE session_id = $1

-- name: set_session_status
-- Conditional: nothing happens unless the session still has the expected status.
UPDATE event_sessions SET status = $3, version = version + 1, updated_at = now() WHERE id = $1 AND status = $2

-- name: set_session_times
UPDATE event_sessions SET start_time = $2, end_time = $3, sales_start_time = $4, sales_end_time = $5,
    version = version + 1, updated_at = now()
WHERE id = $1

-- name: set_session_venue
UPDATE event_sessions SET session_type = $2, venue_details = $3, time_zone = $4, version = version + 1, updated_at = now()
WHERE id = $1

-- name: set_layout_version
UPDATE event_sessions SET layout_version = layout_version + 1, seat_count = $2, version = version + 1, updated_at = now()
WHERE id = $1 RETURNING layout_version

-- name: set_seating_map
UPDATE session_seating_maps SET layout_data = $2, layout_version = $3 WHERE event_session_id = $1

-- name: delete_seats_except
DELETE FROM session_seats WHERE session_id = $1 AND id <> ALL ($2::uuid[])

-- name: upsert_seats
-- One array per column. Kept seats are rewritten with the new layout version, which tells readers when they have all.
INSERT INTO session_seats (id, session_id, block_id, row_id, label, tier_id, blocked, position, layout_version,
                           accessible, companion, restricted_view)
SELECT s.id, $1, s.block_id, s.row_id, s.label, s.tier_id, s.blocked, s.position, $2, s.accessible, s.companion,
       s.restricted_view
FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::uuid[], $8::bool[], $9::int[], $10::bool[], $11::bool[],
            $12::bool[])
     AS s (id, block_id, row_id, label, tier_id, blocked, position, accessible, companion, restricted_view)
ON CONFLICT (id) DO UPDATE SET block_id = excluded.block_id, row_id = excluded.row_id, label = excluded.label,
    tier_id = excluded.tier_id, blocked = excluded.blocked, position = excluded.position,
    layout_version = excluded.layout_version, accessible = excluded.accessible, companion = excluded.companion,
    restricted_view = excluded.restricted_view
WHERE session_seats.session_id = excluded.session_id

-- name: delete_session
DELETE FROM event_sessions WHERE id = $1

-- name: session_statuses
SELECT id, status FROM event_sessions WHERE event_id = $1

-- name: close_scheduled_sessions
UPDATE event_sessions SET status = 'CLOSED', version = version + 1, updated_at = now()
WHERE event_id = $1 AND status = 'SCHEDULED'

-- name: cancel_open_sessions
UPDATE event_sessions SET status = 'CANCELLED', version = version + 1, updated_at = now()
WHERE event_id = $1 AND status IN ('SCHEDULED', 'ON_SALE', 'SOLD_OUT')

-- name: sessions_by_status
-- $1 organization or null, $2 event or null.
SELECT s.status, count(*) AS count
FROM event_sessions s JOIN events e ON e.id = s.event_id
WHERE ($1::uuid IS NULL OR e.organization_id = $1) AND ($2::uuid IS NULL OR e.id = $2)
GROUP BY s.status ORDER BY s.status

-- name: sessions_of_organization
-- $2: status or null.
SELECT s.id, s.start_time, s.end_time, s.sales_start_time, s.session_type, s.status, e.id AS event_id, e.title,
       e.status AS event_status, c.name AS category_name
FROM event_sessions s JOIN events e ON e.id = s.event_id JOIN categories c ON c.id = e.category_id
WHERE e.organization_id = $1 AND ($2::text IS NULL OR s.status = $2)
ORDER BY /*order*/ LIMIT $3 OFFSET $4

-- name: sessions_of_organization_count
SELECT count(*) FROM event_sessions s JOIN events e ON e.id = s.event_id
WHERE e.organization_id = $1 AND ($2::text IS NULL OR s.status = $2)
