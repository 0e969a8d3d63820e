-- What must hold in the order database at any moment, whoever wrote it. Every query lists violations: an empty answer
-- means the rule holds. $1 is the moment of the snapshot (taken after it, so a hold that ends later is certainly live).
-- A line is live when its order is pending and in time, or paid for and its ticket not revoked.
-- Each query: -- name: <name> | <invariant> | <sentence for a person>

-- name: two_live_lines | I1 | a seat belongs to two live orders
SELECT l.seat_id::text AS seat, string_agg(o.order_id::text, ', ' ORDER BY o.order_id) AS evidence
  FROM orders AS o
  JOIN order_lines AS l ON l.order_id = o.order_id
  LEFT JOIN tickets AS t ON t.ticket_id = l.ticket_id
 WHERE (o.status = 'pending' AND o.held_until > $1)
    OR (o.status IN ('completed', 'partially_refunded') AND t.revoked_at IS NULL)
 GROUP BY o.session_id, l.seat_id
HAVING count(*) > 1
 LIMIT 10;

-- name: two_live_tickets | I1 | a seat has two live tickets
SELECT t.seat_id::text AS seat, string_agg(t.ticket_id::text, ', ' ORDER BY t.ticket_id) AS evidence
  FROM tickets AS t
 WHERE t.revoked_at IS NULL AND $1::timestamptz IS NOT NULL
 GROUP BY t.session_id, t.seat_id
HAVING count(*) > 1
 LIMIT 10;

-- name: taken_by_a_stranger | I1 | a seat is held or sold to an order that does not name it
SELECT s.seat_id::text AS seat, 'state ' || s.state || ', order ' || s.order_id::text AS evidence
  FROM seats AS s
 WHERE s.state <> 'AVAILABLE' AND $1::timestamptz IS NOT NULL
   AND NOT EXISTS (SELECT FROM orders AS o
                     JOIN order_lines AS l ON l.order_id = o.order_id
                    WHERE o.order_id = s.order_id AND o.session_id = s.session_id AND l.seat_id = s.seat_id)
 LIMIT 10;

-- name: sold_without_payment | I1 | a seat is sold to an order that was never completed
SELECT s.seat_id::text AS seat, 'order ' || o.order_id::text || ' is ' || o.status AS evidence
  FROM seats AS s
  JOIN orders AS o ON o.order_id = s.order_id
 WHERE s.state = 'SOLD' AND o.status IN ('pending', 'cancelled', 'expired') AND $1::timestamptz IS NOT NULL
 LIMIT 10;

-- name: deadline_differs | I2 | a held seat and its order disagree about the deadline
SELECT s.seat_id::text AS seat,
       'order ' || o.order_id::text || ' until ' || o.held_until || ', seat until ' || s.held_until AS evidence
  FROM seats AS s
  JOIN orders AS o ON o.order_id = s.order_id
 WHERE s.state = 'HELD' AND o.status = 'pending' AND s.held_until <> o.held_until AND $1::timestamptz IS NOT NULL
 LIMIT 10;

-- name: order_without_lines | I3 | an order has no seats at all
SELECT NULL AS seat, 'order ' || o.order_id::text || ' is ' || o.status AS evidence
  FROM orders AS o
 WHERE $1::timestamptz IS NOT NULL
   AND NOT EXISTS (SELECT FROM order_lines AS l WHERE l.order_id = o.order_id)
 LIMIT 10;

-- name: pending_without_its_seats | I3 | a pending order in time does not hold all of its seats
SELECT l.seat_id::text AS seat, 'order ' || o.order_id::text || ', seat ' || coalesce(s.state, 'unknown') AS evidence
  FROM orders AS o
  JOIN order_lines AS l ON l.order_id = o.order_id
  LEFT JOIN seats AS s ON s.session_id = o.session_id AND s.seat_id = l.seat_id
 WHERE o.status = 'pending' AND o.held_until > $1
   AND (s.seat_id IS NULL OR s.state <> 'HELD' OR s.order_id <> o.order_id)
 LIMIT 10;

-- name: completed_without_its_seats | I3 | a completed order does not own all of its seats
SELECT l.seat_id::text AS seat, 'order ' || o.order_id::text || ', seat ' || coalesce(s.state, 'unknown') AS evidence
  FROM orders AS o
  JOIN order_lines AS l ON l.order_id = o.order_id
  LEFT JOIN tickets AS t ON t.ticket_id = l.ticket_id
  LEFT JOIN seats AS s ON s.session_id = o.session_id AND s.seat_id = l.seat_id
 WHERE o.status IN ('completed', 'partially_refunded') AND t.revoked_at IS NULL AND $1::timestamptz IS NOT NULL
   AND (s.seat_id IS NULL OR s.state <> 'SOLD' OR s.order_id <> o.order_id)
 LIMIT 10;

-- name: held_by_a_finished_order | I3 | an order that has ended still holds a seat
SELECT s.seat_id::text AS seat, 'order ' || o.order_id::text || ' is ' || o.status AS evidence
  FROM seats AS s
  JOIN orders AS o ON o.order_id = s.order_id
 WHERE s.state = 'HELD' AND s.held_until > $1 AND o.status <> 'pending'
 LIMIT 10;

-- name: more_sold_than_places | I4 | a session has more live claims than places
SELECT NULL AS seat, 'session ' || live.session_id::text || ': ' || live.claims || ' live claims' AS evidence
  FROM (SELECT o.session_id, count(*) AS claims
          FROM orders AS o
          JOIN order_lines AS l ON l.order_id = o.order_id
          LEFT JOIN tickets AS t ON t.ticket_id = l.ticket_id
         WHERE (o.status = 'pending' AND o.held_until > $1)
            OR (o.status IN ('completed', 'partially_refunded') AND t.revoked_at IS NULL)
         GROUP BY o.session_id) AS live
 WHERE live.claims > (SELECT count(*) FROM seats AS s WHERE s.session_id = live.session_id)
 LIMIT 10;
