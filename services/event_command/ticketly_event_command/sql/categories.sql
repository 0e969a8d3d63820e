-- name: categories
SELECT id, name, parent_id FROM categories ORDER BY position, name, id

-- name: lock_categories
-- Edits of the tree are rare; one at a time makes the search for cycles exact.
SELECT pg_advisory_xact_lock(2, 0)

-- name: category
SELECT id, name, parent_id FROM categories WHERE id = $1

-- name: insert_category
INSERT INTO categories (id, name, parent_id, position)
SELECT $1, $2, $3, coalesce(max(position), 0) + 1 FROM categories WHERE parent_id IS NOT DISTINCT FROM $3

-- name: update_category
UPDATE categories SET name = $2, parent_id = $3 WHERE id = $1

-- name: category_ancestors
-- A category and everything above it.
WITH RECURSIVE above AS (
    SELECT id, parent_id FROM categories WHERE id = $1
    UNION
    SELECT c.id, c.parent_id FROM categories c JOIN above a ON c.id = a.parent_id
)
SELECT id FROM above

-- name: delete_category
DELETE FROM categories WHERE id = $1
