-- name: lock_user_organizations
-- Serialises creations by one user, so that the limit is counted over what is committed.
SELECT pg_advisory_xact_lock(1, hashtext($1::uuid::text))

-- name: count_user_organizations
SELECT count(*) FROM organizations WHERE user_id = $1

-- name: insert_organization
INSERT INTO organizations (id, name, website, user_id) VALUES ($1, $2, $3, $4)

-- name: remember_owner_tier
-- The latest tier a user's own token showed. Writes (and so locks) nothing when it is known already.
INSERT INTO owner_tiers (user_id, tier)
SELECT $1, $2::text WHERE NOT EXISTS (SELECT FROM owner_tiers WHERE user_id = $1 AND tier = $2::text)
ON CONFLICT (user_id) DO UPDATE SET tier = excluded.tier, seen_at = now()

-- name: owner_tier
SELECT tier FROM owner_tiers WHERE user_id = $1

-- name: organization
SELECT o.*, (SELECT count(*) FROM events e WHERE e.organization_id = o.id) AS event_count
FROM organizations o WHERE o.id = $1

-- name: lock_organization
-- NO KEY: rows that refer to the organization may still be inserted by those who do not count them.
SELECT * FROM organizations WHERE id = $1 FOR NO KEY UPDATE

-- name: organizations_of_user
SELECT o.*, (SELECT count(*) FROM events e WHERE e.organization_id = o.id) AS event_count
FROM organizations o WHERE o.user_id = $1 ORDER BY o.created_at, o.id

-- name: organizations
-- $1: part of the name as LIKE pattern, or null.
SELECT o.*, (SELECT count(*) FROM events e WHERE e.organization_id = o.id) AS event_count
FROM organizations o WHERE $1::text IS NULL OR o.name ILIKE $1
ORDER BY /*order*/ LIMIT $2 OFFSET $3

-- name: organizations_count
SELECT count(*) FROM organizations o WHERE $1::text IS NULL OR o.name ILIKE $1

-- name: update_organization
UPDATE organizations SET name = $2, website = $3, updated_at = now() WHERE id = $1

-- name: set_logo
UPDATE organizations SET logo_url = $2, updated_at = now() WHERE id = $1

-- name: delete_organization
DELETE FROM organizations WHERE id = $1

-- name: staff
SELECT m.*, coalesce(array_agg(r.role ORDER BY r.role) FILTER (WHERE r.role IS NOT NULL), '{}') AS roles
FROM organization_members m LEFT JOIN organization_member_roles r ON r.member_id = m.id
WHERE m.organization_id = $1 AND ($2::uuid IS NULL OR m.user_id = $2)
GROUP BY m.id ORDER BY m.created_at, m.id

-- name: set_staff_active
UPDATE organization_members SET active = $3 WHERE organization_id = $1 AND user_id = $2

-- name: delete_staff
DELETE FROM organization_members WHERE organization_id = $1 AND user_id = $2

-- name: has_role
-- Whether a user is an active member with a role in the organization that a session belongs to.
SELECT EXISTS (
    SELECT FROM event_sessions s
    JOIN events e ON e.id = s.event_id
    JOIN organization_members m ON m.organization_id = e.organization_id AND m.user_id = $2 AND m.active
    JOIN organization_member_roles r ON r.member_id = m.id AND r.role = $3
    WHERE s.id = $1
)

-- name: logo_is_public
-- A logo may be fetched by everybody once something of the organization is on show.
SELECT EXISTS (
    SELECT FROM organizations o WHERE o.id = $1 AND right(o.logo_url, char_length($2)) = $2
    AND EXISTS (SELECT FROM events e WHERE e.organization_id = o.id AND e.status IN ('APPROVED', 'COMPLETED'))
)
