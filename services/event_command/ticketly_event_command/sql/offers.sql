-- name: tiers
SELECT * FROM tiers WHERE event_id = $1 ORDER BY position, id

-- name: tier
SELECT * FROM tiers WHERE event_id = $1 AND id = $2

-- name: insert_tier
INSERT INTO tiers (id, event_id, name, color, price_minor, currency, position)
SELECT $1, $2, $3, $4, $5, $6, coalesce(max(position), 0) + 1 FROM tiers WHERE event_id = $2

-- name: update_tier
-- Null means unchanged.
UPDATE tiers SET name = coalesce($3, name), color = coalesce($4, color), price_minor = coalesce($5, price_minor)
WHERE event_id = $1 AND id = $2

-- name: tier_in_use
SELECT EXISTS (SELECT FROM session_seats WHERE tier_id = $1)

-- name: delete_tier
DELETE FROM tiers WHERE event_id = $1 AND id = $2

-- name: discounts
-- $2: one discount or null; $3: whether private ones are wanted.
SELECT d.*,
       ARRAY(SELECT t.tier_id FROM discount_tiers t WHERE t.discount_id = d.id ORDER BY t.tier_id) AS tier_ids,
       ARRAY(SELECT s.session_id FROM discount_sessions s WHERE s.discount_id = d.id ORDER BY s.session_id) AS session_ids
FROM discounts d
WHERE d.event_id = $1 AND ($2::uuid IS NULL OR d.id = $2) AND ($3 OR d.is_public)
ORDER BY d.position, d.id

-- name: insert_discount
INSERT INTO discounts (id, event_id, code, parameters, max_usage, max_usage_per_user, is_public, is_active, active_from,
                       expires_at, position)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, coalesce(max(position), 0) + 1 FROM discounts WHERE event_id = $2

-- name: update_discount
UPDATE discounts SET code = $3, parameters = $4, max_usage = $5, max_usage_per_user = $6, is_public = $7, is_active = $8,
    active_from = $9, expires_at = $10
WHERE event_id = $2 AND id = $1

-- name: delete_discount
DELETE FROM discounts WHERE event_id = $1 AND id = $2

-- name: delete_other_discount_tiers
DELETE FROM discount_tiers WHERE discount_id = $1 AND tier_id <> ALL ($2::uuid[])

-- name: insert_discount_tiers
INSERT INTO discount_tiers (discount_id, tier_id) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING

-- name: delete_other_discount_sessions
DELETE FROM discount_sessions WHERE discount_id = $1 AND session_id <> ALL ($2::uuid[])

-- name: insert_discount_sessions
INSERT INTO discount_sessions (discount_id, session_id) SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING

-- name: deactivate_discounts_only_for_tier
-- An empty list means "applies to all": a discount that loses its last tier is switched off instead of widened.
UPDATE discounts d SET is_active = false
WHERE EXISTS (SELECT FROM discount_tiers t WHERE t.discount_id = d.id AND t.tier_id = $1)
  AND NOT EXISTS (SELECT FROM discount_tiers t WHERE t.discount_id = d.id AND t.tier_id <> $1)

-- name: deactivate_discounts_only_for_session
-- The same for a session that goes.
UPDATE discounts d SET is_active = false
WHERE EXISTS (SELECT FROM discount_sessions s WHERE s.discount_id = d.id AND s.session_id = $1)
  AND NOT EXISTS (SELECT FROM discount_sessions s WHERE s.discount_id = d.id AND s.session_id <> $1)
