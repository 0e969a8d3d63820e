-- name: insert_event
INSERT INTO events (id, organization_id, title, description, overview, category_id, currency)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: event
SELECT e.*, o.user_id AS owner_id, o.name AS organization_name, c.name AS category_name
FROM events e JOIN organizations o ON o.id = e.organization_id JOIN categories c ON c.id = e.category_id
WHERE e.id = $1

-- name: lock_event
-- Every write to an event or to anything below it holds this row.
SELECT e.*, o.user_id AS owner_id
FROM events e JOIN organizations o ON o.id = e.organization_id
WHERE e.id = $1 FOR NO KEY UPDATE OF e

-- name: count_active_events
SELECT count(*) FROM events WHERE organization_id = $1 AND status = 'APPROVED'

-- name: events
-- $1 organization or null, $2 status or null, $3 LIKE pattern on the title or null.
SELECT e.id, e.title, e.status, e.organization_id, e.created_at, e.updated_at, left(e.description, 150) AS description,
       o.name AS organization_name, photo.photo_url,
       coalesce(sessions.session_count, 0) AS session_count,
       coalesce(sessions.earliest_open, sessions.latest) AS earliest_session
FROM events e
JOIN organizations o ON o.id = e.organization_id
LEFT JOIN LATERAL (
    SELECT p.photo_url FROM event_cover_photos p WHERE p.event_id = e.id ORDER BY p.position, p.id LIMIT 1
) photo ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS session_count, max(s.start_time) AS latest,
           min(s.start_time) FILTER (
               WHERE s.start_time > now() AND s.status IN ('SCHEDULED', 'ON_SALE', 'SOLD_OUT')
           ) AS earliest_open
    FROM event_sessions s WHERE s.event_id = e.id
) sessions ON true
WHERE ($1::uuid IS NULL OR e.organization_id = $1)
  AND ($2::text IS NULL OR e.status = $2)
  AND ($3::text IS NULL OR e.title ILIKE $3)
ORDER BY /*order*/ LIMIT $4 OFFSET $5

-- name: events_count
SELECT count(*) FROM events e
WHERE ($1::uuid IS NULL OR e.organization_id = $1)
  AND ($2::text IS NULL OR e.status = $2)
  AND ($3::text IS NULL OR e.title ILIKE $3)

-- name: events_of_organization
SELECT id, status FROM events WHERE organization_id = $1 ORDER BY id

-- name: lock_events_of_organization
SELECT id, status FROM events WHERE organization_id = $1 ORDER BY id FOR NO KEY UPDATE

-- name: update_event
-- Null means unchanged.
UPDATE events SET title = coalesce($2, title), description = coalesce($3, description),
    overview = coalesce($4, overview), category_id = coalesce($5, category_id),
    version = version + 1, updated_at = now()
WHERE id = $1

-- name: touch_event
UPDATE events SET version = version + 1, updated_at = now() WHERE id = $1

-- name: set_event_status
-- Conditional: nothing happens unless the event still has the expected status.
UPDATE events SET status = $3, rejection_reason = $4, version = version + 1, updated_at = now()
WHERE id = $1 AND status = $2

-- name: set_cancellation_reason
UPDATE events SET cancellation_reason = $2, version = version + 1, updated_at = now() WHERE id = $1

-- name: complete_event_if_over
-- An approved event without any session still ahead is over.
UPDATE events SET status = 'COMPLETED', version = version + 1, updated_at = now()
WHERE id = $1 AND status = 'APPROVED'
  AND EXISTS (SELECT FROM event_sessions s WHERE s.event_id = $1)
  AND NOT EXISTS (SELECT FROM event_sessions s WHERE s.event_id = $1 AND s.status NOT IN ('CLOSED', 'CANCELLED'))

-- name: delete_sessions_of_event
-- Before the event itself: its tiers go in the same cascade, and seats refer to both.
DELETE FROM event_sessions WHERE event_id = $1

-- name: delete_event
DELETE FROM events WHERE id = $1

-- name: cover_photos
SELECT id, photo_url FROM event_cover_photos WHERE event_id = $1 ORDER BY position, id

-- name: insert_cover_photo
INSERT INTO event_cover_photos (id, event_id, photo_url, position)
SELECT $1, $2, $3, coalesce(max(position), 0) + 1 FROM event_cover_photos WHERE event_id = $2

-- name: delete_cover_photo
DELETE FROM event_cover_photos WHERE event_id = $1 AND id = $2 RETURNING photo_url

-- name: images_of_organization
SELECT p.photo_url FROM event_cover_photos p JOIN events e ON e.id = p.event_id WHERE e.organization_id = $1
UNION ALL
SELECT o.logo_url FROM organizations o WHERE o.id = $1 AND o.logo_url IS NOT NULL

-- name: cover_photo_is_public
SELECT EXISTS (
    SELECT FROM event_cover_photos p JOIN events e ON e.id = p.event_id
    WHERE p.id = $1 AND e.status IN ('APPROVED', 'COMPLETED')
)

-- name: owned_events
SELECT e.id FROM events e JOIN organizations o ON o.id = e.organization_id
WHERE e.id = ANY ($1::uuid[]) AND o.user_id = $2
