-- name: templates
SELECT * FROM seating_templates t WHERE t.organization_id = $1 ORDER BY /*order*/ LIMIT $2 OFFSET $3

-- name: templates_count
SELECT count(*) FROM seating_templates t WHERE t.organization_id = $1

-- name: template
SELECT t.*, o.user_id AS owner_id
FROM seating_templates t JOIN organizations o ON o.id = t.organization_id WHERE t.id = $1

-- name: insert_template
INSERT INTO seating_templates (id, organization_id, name, layout_data) VALUES ($1, $2, $3, $4)

-- name: update_template
UPDATE seating_templates SET name = $2, layout_data = $3, updated_at = now() WHERE id = $1

-- name: delete_template
DELETE FROM seating_templates WHERE id = $1
