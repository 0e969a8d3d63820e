-- name: positions
SELECT topic, partition, next_offset FROM catalogue.positions WHERE topic = ANY ($1);

-- name: store_positions
INSERT INTO catalogue.positions AS p (topic, partition, next_offset)
SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[])
 ORDER BY 1, 2
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = greatest(p.next_offset, excluded.next_offset);

-- name: sessions
SELECT * FROM catalogue.sessions WHERE id = ANY ($1);

-- name: apply_session
SELECT catalogue.apply_session($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: begin_layout_change
SELECT catalogue.begin_layout_change();

-- name: refresh_readiness
SELECT catalogue.refresh_readiness($1);

-- name: upsert_organizations
-- id, owner_id, name, version, deleted. In this and the following: rows come sorted by id, and a delete keeps what is
-- known of the row.
INSERT INTO catalogue.organizations AS t (id, owner_id, name, version, deleted)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bool[])
ON CONFLICT (id) DO UPDATE
   SET owner_id = coalesce(excluded.owner_id, t.owner_id), name = excluded.name,
       version = excluded.version, deleted = excluded.deleted
 WHERE t.version <= excluded.version;

-- name: upsert_events
INSERT INTO catalogue.events AS t (id, organization_id, title, status, currency, version, deleted)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bool[])
ON CONFLICT (id) DO UPDATE
   SET organization_id = coalesce(excluded.organization_id, t.organization_id), title = excluded.title,
       status = excluded.status, currency = excluded.currency,
       version = excluded.version, deleted = excluded.deleted
 WHERE t.version <= excluded.version;

-- name: upsert_event_sessions
-- Sessions the catalogue did not know, or whose sale does not change (see apply_session for the others).
INSERT INTO catalogue.sessions AS t (id, event_id, status, start_time, end_time, sales_start_time, sales_end_time,
                                     layout_version, seat_count, version, deleted)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
                     $7::timestamptz[], $8::int[], $9::int[], $10::bigint[], $11::bool[])
ON CONFLICT (id) DO UPDATE
   SET event_id = coalesce(excluded.event_id, t.event_id), status = excluded.status,
       start_time = excluded.start_time, end_time = excluded.end_time,
       sales_start_time = excluded.sales_start_time, sales_end_time = excluded.sales_end_time,
       layout_version = excluded.layout_version, seat_count = excluded.seat_count,
       version = excluded.version, deleted = excluded.deleted
 WHERE t.version <= excluded.version;

-- name: upsert_tiers
INSERT INTO catalogue.tiers AS t (id, event_id, name, color, price_minor, currency, version, deleted)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::bool[])
ON CONFLICT (id) DO UPDATE
   SET event_id = coalesce(excluded.event_id, t.event_id), name = excluded.name, color = excluded.color,
       price_minor = excluded.price_minor, currency = excluded.currency,
       version = excluded.version, deleted = excluded.deleted
 WHERE t.version <= excluded.version;

-- name: upsert_session_seats
-- The seat's state row comes into being here, AVAILABLE, and is never touched by change capture again.
-- Returns the sessions whose layout may have become complete.
WITH applied AS (
    INSERT INTO catalogue.seats AS t (id, session_id, block_id, label, tier_id, blocked, layout_version, version,
                                      deleted)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::bool[], $7::int[],
                         $8::bigint[], $9::bool[])
    ON CONFLICT (id) DO UPDATE
       SET session_id = coalesce(excluded.session_id, t.session_id), block_id = excluded.block_id,
           label = excluded.label, tier_id = excluded.tier_id, blocked = excluded.blocked,
           layout_version = excluded.layout_version, version = excluded.version, deleted = excluded.deleted
     WHERE t.version <= excluded.version
    RETURNING t.id, t.session_id, t.deleted
), states AS (
    INSERT INTO seats (session_id, seat_id)
    SELECT a.session_id, a.id FROM applied AS a WHERE NOT a.deleted ORDER BY a.id
    ON CONFLICT (session_id, seat_id) DO NOTHING
)
SELECT DISTINCT a.session_id FROM applied AS a WHERE a.session_id IS NOT NULL;
