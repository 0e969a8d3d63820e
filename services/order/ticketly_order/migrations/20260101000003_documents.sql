-- migrate:up

-- The texts that leave this service are built here and nowhere else: the order as clients and consumers see it, and
-- the seat status message. json (not jsonb) keeps member order and numbers exactly as written.

-- RFC 3339 in UTC with milliseconds.
CREATE FUNCTION instant_text(p_instant timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(p_instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- Minor units as a number in major units without trailing zeros: 125050 -> 1250.5.
CREATE FUNCTION money_major(p_minor bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN trim_scale(p_minor / 100.0);

-- A hold that is over reads as expired, swept or not.
CREATE FUNCTION effective_status(p_status text, p_held_until timestamptz, p_now timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN p_status = 'pending' AND p_held_until <= p_now THEN 'expired' ELSE p_status END;

CREATE TYPE order_document_row AS (order_id uuid, body json);

-- The order objects of the given orders as of p_now. tickets[] are the order lines in ticket shape: before settlement
-- each is a reservation, afterwards the ticket's own state counts.
CREATE FUNCTION order_documents(p_order_ids uuid[], p_now timestamptz) RETURNS SETOF order_document_row
LANGUAGE sql STABLE AS $$
    SELECT o.order_id, json_build_object(
        'OrderID', o.order_id,
        'UserID', o.user_id,
        'EventID', o.event_id,
        'OrganizationID', o.organization_id,
        'SessionID', o.session_id,
        'Status', s.status,
        'SubTotal', money_major(o.sub_total_minor),
        'DiscountID', coalesce(o.discount_id::text, ''),
        'DiscountCode', coalesce(o.discount_code, ''),
        'DiscountAmount', money_major(o.discount_amount_minor),
        'Price', money_major(o.price_minor),
        'CreatedAt', s.created_at,
        'PaymentIntentID', coalesce(o.payment_intent_id, ''),
        'tickets', lines.documents,
        'SeatIDs', lines.seat_ids,
        'currency', o.currency,
        'subTotalMinor', o.sub_total_minor,
        'discountAmountMinor', o.discount_amount_minor,
        'priceMinor', o.price_minor,
        'refundedMinor', o.refunded_minor,
        'holdExpiresAt', CASE WHEN s.status = 'pending' THEN instant_text(o.held_until) END,
        'serverTime', s.server_time,
        'version', o.version
    )
      FROM orders AS o
      CROSS JOIN LATERAL (
          -- OFFSET 0 keeps these computed once per order instead of once per use.
          SELECT effective_status(o.status, o.held_until, p_now) AS status,
                 instant_text(o.created_at) AS created_at,
                 instant_text(p_now) AS server_time
          OFFSET 0
      ) AS s
      CROSS JOIN LATERAL (
          SELECT json_agg(json_build_object(
                     'ticket_id', l.ticket_id,
                     'order_id', l.order_id,
                     'seat_id', l.seat_id,
                     'seat_label', l.seat_label,
                     'colour', l.colour,
                     'tier_id', l.tier_id,
                     'tier_name', l.tier_name,
                     'price_at_purchase', money_major(l.price_minor),
                     'issued_at', coalesce(instant_text(t.issued_at), s.created_at),
                     'checked_in', t.checked_in_at IS NOT NULL,
                     'checked_in_time', coalesce(instant_text(t.checked_in_at), '0001-01-01T00:00:00Z'),
                     'checkedInAt', instant_text(t.checked_in_at),
                     'priceMinor', l.price_minor,
                     'ticketStatus', CASE
                         WHEN t.revoked_at IS NOT NULL THEN 'revoked'
                         WHEN t.checked_in_at IS NOT NULL THEN 'used'
                         WHEN t.ticket_id IS NOT NULL THEN 'valid'
                         WHEN s.status = 'pending' THEN 'reserved'
                         ELSE 'revoked'
                     END) ORDER BY l.position) AS documents,
                 json_agg(l.seat_id ORDER BY l.position) AS seat_ids
            FROM order_lines AS l
            LEFT JOIN tickets AS t ON t.ticket_id = l.ticket_id
           WHERE l.order_id = o.order_id
      ) AS lines
     WHERE o.order_id = ANY (p_order_ids)
$$;

-- What readers of seat states get: one message per transition and session.
CREATE FUNCTION seats_message(
    p_session_id uuid, p_seat_ids uuid[], p_status text, p_fence bigint, p_order_id uuid,
    p_held_until timestamptz, p_now timestamptz
) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'session_id', p_session_id,
    'seat_ids', p_seat_ids,
    'status', p_status,
    'version', p_fence,
    'orderId', p_order_id,
    'heldUntil', instant_text(p_held_until),
    'occurredAt', instant_text(p_now)
)::text;

-- migrate:down
