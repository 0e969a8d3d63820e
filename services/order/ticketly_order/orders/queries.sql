-- name: document
-- One order as its buyer ($2) or the owner of its organization sees it; nobody else learns that it exists.
SELECT d.body::text
  FROM orders AS o
  CROSS JOIN LATERAL order_documents(ARRAY[o.order_id], date_trunc('milliseconds', clock_timestamp())) AS d
 WHERE o.order_id = $1
   AND (o.user_id = $2 OR EXISTS (
       SELECT FROM catalogue.organizations AS g
        WHERE g.id = o.organization_id AND g.owner_id = $2 AND NOT g.deleted));

-- name: count_of_user
SELECT count(*) FROM orders WHERE user_id = $1;

-- name: documents_of_user
-- Newest first: ids are time-ordered.
SELECT d.body::text
  FROM (SELECT order_id FROM orders WHERE user_id = $1 ORDER BY order_id DESC LIMIT $2 OFFSET $3) AS page
  CROSS JOIN LATERAL order_documents(ARRAY[page.order_id], date_trunc('milliseconds', clock_timestamp())) AS d
 ORDER BY page.order_id DESC;

-- name: live_tickets
SELECT count(*) FROM tickets WHERE revoked_at IS NULL;

-- name: release
SELECT * FROM release_order($1, $2, $3, $4);

-- name: due
-- Oldest first, no locks: the release itself decides whether the order is still due.
SELECT order_id FROM orders
 WHERE status = 'pending' AND held_until <= clock_timestamp()
 ORDER BY held_until
 LIMIT $1;

-- name: open_holds
-- From a partial index alone.
SELECT count(*) FILTER (WHERE held_until > statement_timestamp()) AS running,
       count(*) FILTER (WHERE held_until <= statement_timestamp()) AS overdue,
       greatest(coalesce(extract(epoch FROM statement_timestamp() - min(held_until)), 0), 0)::float8
           AS oldest_overdue_seconds
  FROM orders
 WHERE status = 'pending';

-- name: of_cancelled_sessions
-- Derived from state alone, so that a crash between a session's cancellation and its orders' loses nothing.
SELECT o.order_id
  FROM catalogue.sessions AS s
  JOIN orders AS o ON o.session_id = s.id AND o.status = 'pending'
 WHERE s.deleted OR s.status = 'CANCELLED'
 LIMIT $1;

-- name: prune_outbox
-- Ids are time-ordered, so this is a range of the primary key.
DELETE FROM outbox
 WHERE id IN (SELECT id FROM outbox WHERE occurred_at < now() - interval '14 days' ORDER BY id LIMIT 5000);

-- name: prune_idempotency_keys
DELETE FROM idempotency_keys
 WHERE (subject, route, key) IN (
     SELECT subject, route, key FROM idempotency_keys WHERE created_at < now() - interval '25 hours' LIMIT 5000);

-- name: seat_states
-- Taken seats of a session. A hold that is over counts as free, swept or not.
SELECT EXISTS (SELECT FROM catalogue.sessions WHERE id = $1) AS known,
       coalesce(max(fence), 0) AS version,
       coalesce(array_agg(seat_id::text ORDER BY seat_id)
                FILTER (WHERE state = 'HELD' AND held_until > clock_timestamp()), '{}') AS locked,
       coalesce(array_agg(seat_id::text ORDER BY seat_id) FILTER (WHERE state = 'SOLD'), '{}') AS booked
  FROM seats
 WHERE session_id = $1;

-- name: sales_of_event
SELECT (SELECT count(*) FROM tickets WHERE event_id = $1 AND revoked_at IS NULL) AS sold_tickets,
       (SELECT count(*) FROM orders
         WHERE event_id = $1 AND status = 'pending' AND held_until > clock_timestamp()) AS open_orders;

-- name: sessions_of_event
SELECT id::text AS session_id, CASE WHEN deleted THEN 'DELETED' ELSE status END AS applied_status, version AS position
  FROM catalogue.sessions
 WHERE event_id = $1
 ORDER BY id;
