-- migrate:up

-- What a claim answers. Which members are filled depends on outcome:
--   won              order_id, fence, held_until, body (the answer), message (seats.status), session_id, seat_ids
--   replayed         body: the answer the key got the first time
--   key-reused       the key belongs to another body
--   lost             seat_ids, seat_fences, seat_deadlines of the contested seats (a null deadline: sold)
--   seats-unknown    seat_ids
--   too-many-open-orders   open_order_ids
--   session-not-on-sale    session_status, sales_start_time
--   session-not-found, event-mismatch, organization-mismatch, event-not-approved, catalogue-incomplete
CREATE TYPE claim_answer AS (
    claim            integer,
    outcome          text,
    order_id         uuid,
    fence            bigint,
    held_until       timestamptz,
    body             text,
    message          text,
    session_id       uuid,
    seat_ids         uuid[],
    seat_fences      bigint[],
    seat_deadlines   timestamptz[],
    open_order_ids   uuid[],
    session_status   text,
    sales_start_time timestamptz
);

-- Decides a batch of claims in one transaction: each wins all of its seats or none.
--
-- Locks, in this order and each in a statement of its own: users, sessions (shared; a status change takes it
-- exclusively), seats by id. State is read only by statements that start after the locks are held; READ COMMITTED
-- gives each statement a fresh snapshot, so nothing decided here rests on what was true before a wait. Both advisory
-- key classes are sorted by the computed key, because two keys may collide. Hence no deadlock, whatever overlaps.
--
-- A seat is claimable when it is AVAILABLE, or HELD with its deadline passed: no sweeper is needed, and the displaced
-- order's row is not touched (its writes name their fence and miss). The fence is drawn after all seat locks are
-- held, so it grows per seat.
--
-- p_seat_claims[k] says to which claim (1-based) p_seat_ids[k] belongs. Within one call each seat and each user may
-- occur once; a seat that occurs twice raises an error and nothing is claimed.
-- An open order limit of 0 means none. Everything else about the request was checked by the caller.
CREATE FUNCTION claim_orders(
    p_user_ids          text[],
    p_session_ids       uuid[],
    p_event_ids         uuid[],
    p_organization_ids  uuid[],
    p_idempotency_keys  text[],
    p_body_digests      bytea[],
    p_open_order_limits integer[],
    p_traceparents      text[],
    p_seat_claims       integer[],
    p_seat_ids          uuid[],
    p_hold_ttl_seconds  double precision
) RETURNS SETOF claim_answer
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_now     timestamptz;
    v_until   timestamptz;
    v_row     record;
    v_answer  claim_answer;
    v_blank   claim_answer;
    v_running integer[] := '{}';  -- claims that may still win
    v_won     integer[] := '{}';
    v_orders  uuid[];             -- order of v_won[n]
    v_fences  bigint[];           -- fence of v_won[n]
    v_updated integer;
    v_wanted  integer;
BEGIN
    PERFORM pg_advisory_xact_lock(1, k.key)
       FROM (SELECT DISTINCT hashtext(u) AS key FROM unnest(p_user_ids) AS u ORDER BY 1) AS k;
    PERFORM pg_advisory_xact_lock_shared(2, k.key)
       FROM (SELECT DISTINCT hashtext(s::text) AS key FROM unnest(p_session_ids) AS s ORDER BY 1) AS k;

    v_now := date_trunc('milliseconds', clock_timestamp());

    FOR v_row IN
        SELECT c.claim, k.body, s.status AS session_status, s.sales_start_time, open.order_ids,
               CASE
                   WHEN k.key IS NOT NULL AND k.body_digest = c.body_digest THEN 'replayed'
                   WHEN k.key IS NOT NULL THEN 'key-reused'
                   WHEN s.id IS NULL OR s.deleted THEN 'session-not-found'
                   WHEN s.event_id <> c.event_id THEN 'event-mismatch'
                   WHEN e.id IS NULL THEN 'catalogue-incomplete'
                   WHEN e.deleted THEN 'session-not-found'
                   WHEN e.organization_id <> c.organization_id THEN 'organization-mismatch'
                   WHEN e.status NOT IN ('APPROVED', 'COMPLETED') THEN 'event-not-approved'
                   -- Seats decide about SOLD_OUT. ON_SALE before the planned start is the organizer's own early start.
                   WHEN s.status NOT IN ('ON_SALE', 'SOLD_OUT') OR coalesce(s.sales_end_time, s.end_time) <= v_now
                       THEN 'session-not-on-sale'
                   WHEN NOT s.ready THEN 'catalogue-incomplete'
                   WHEN cardinality(open.order_ids) >= c.open_order_limit THEN 'too-many-open-orders'
               END AS outcome
          FROM unnest(p_user_ids, p_session_ids, p_event_ids, p_organization_ids, p_idempotency_keys, p_body_digests,
                      p_open_order_limits)
               WITH ORDINALITY AS c (user_id, session_id, event_id, organization_id, idempotency_key, body_digest,
                                     open_order_limit, claim)
          LEFT JOIN LATERAL (
              SELECT i.key, i.body_digest, i.body
                FROM idempotency_keys AS i
               WHERE i.subject = c.user_id AND i.route = 'POST /api/order' AND i.key = c.idempotency_key
                 AND i.created_at > v_now - interval '24 hours'
               LIMIT 1  -- keeps this a look-up by key, whatever the table's statistics say
          ) AS k ON true
          LEFT JOIN catalogue.sessions AS s ON s.id = c.session_id
          LEFT JOIN catalogue.events AS e ON e.id = s.event_id
          LEFT JOIN LATERAL (
              SELECT array_agg(o.order_id ORDER BY o.order_id) AS order_ids
                FROM orders AS o
               WHERE c.open_order_limit > 0
                 AND o.user_id = c.user_id AND o.status = 'pending' AND o.held_until > v_now
          ) AS open ON true
    LOOP
        IF v_row.outcome IS NULL THEN
            v_running := v_running || v_row.claim::integer;
        ELSE
            v_answer := v_blank;
            v_answer.claim := v_row.claim;
            v_answer.outcome := v_row.outcome;
            CASE v_row.outcome
                WHEN 'replayed' THEN v_answer.body := v_row.body;
                WHEN 'too-many-open-orders' THEN v_answer.open_order_ids := v_row.order_ids;
                WHEN 'session-not-on-sale' THEN
                    v_answer.session_status := v_row.session_status;
                    v_answer.sales_start_time := v_row.sales_start_time;
                ELSE NULL;
            END CASE;
            RETURN NEXT v_answer;
        END IF;
    END LOOP;

    IF cardinality(v_running) = 0 THEN
        RETURN;
    END IF;

    PERFORM 1
       FROM unnest(p_seat_claims, p_seat_ids) AS r (claim, seat_id)
       JOIN seats AS s ON s.session_id = p_session_ids[r.claim] AND s.seat_id = r.seat_id
      WHERE r.claim = ANY (v_running)
      ORDER BY s.seat_id
        FOR UPDATE OF s;

    v_now := date_trunc('milliseconds', clock_timestamp());
    v_until := v_now + make_interval(secs => p_hold_ttl_seconds);

    FOR v_row IN
        SELECT r.claim,
               array_agg(r.seat_id ORDER BY r.ordinality) FILTER (WHERE NOT r.known) AS unknown,
               bool_or(r.known AND NOT r.complete) AS incomplete,
               array_agg(r.seat_id ORDER BY r.ordinality) FILTER (WHERE NOT r.claimable) AS contested,
               array_agg(r.fence ORDER BY r.ordinality) FILTER (WHERE NOT r.claimable) AS fences,
               array_agg(r.held_until ORDER BY r.ordinality) FILTER (WHERE NOT r.claimable) AS deadlines
          FROM (
              SELECT q.claim, q.seat_id, q.ordinality, s.fence, s.held_until,
                     c.id IS NOT NULL AND NOT c.deleted AND c.session_id = p_session_ids[q.claim]
                         AND NOT c.blocked AND c.layout_version = e.layout_version AS known,
                     s.seat_id IS NOT NULL AND t.id IS NOT NULL AND NOT t.deleted AS complete,
                     s.state = 'AVAILABLE' OR (s.state = 'HELD' AND s.held_until <= clock_timestamp()) AS claimable
                FROM unnest(p_seat_claims, p_seat_ids) WITH ORDINALITY AS q (claim, seat_id, ordinality)
                LEFT JOIN catalogue.sessions AS e ON e.id = p_session_ids[q.claim]
                LEFT JOIN catalogue.seats AS c ON c.id = q.seat_id
                LEFT JOIN catalogue.tiers AS t ON t.id = c.tier_id
                LEFT JOIN seats AS s ON s.session_id = p_session_ids[q.claim] AND s.seat_id = q.seat_id
               WHERE q.claim = ANY (v_running)
          ) AS r
         GROUP BY r.claim
    LOOP
        v_answer := v_blank;
        v_answer.claim := v_row.claim;
        IF v_row.unknown IS NOT NULL THEN
            v_answer.outcome := 'seats-unknown';
            v_answer.seat_ids := v_row.unknown;
        ELSIF v_row.incomplete THEN
            v_answer.outcome := 'catalogue-incomplete';
        ELSIF v_row.contested IS NOT NULL THEN
            v_answer.outcome := 'lost';
            v_answer.seat_ids := v_row.contested;
            v_answer.seat_fences := v_row.fences;
            v_answer.seat_deadlines := v_row.deadlines;
        ELSE
            v_won := v_won || v_row.claim;
            CONTINUE;
        END IF;
        RETURN NEXT v_answer;
    END LOOP;

    IF cardinality(v_won) = 0 THEN
        RETURN;
    END IF;

    SELECT array_agg(uuidv7()), array_agg(nextval('seat_fence')) INTO v_orders, v_fences FROM unnest(v_won);
    SELECT count(*) INTO v_wanted FROM unnest(p_seat_claims) AS c WHERE c = ANY (v_won);

    WITH line AS MATERIALIZED (
        SELECT w.claim, w.order_id, w.fence, q.ordinality AS position, q.seat_id, c.session_id,
               c.label, t.id AS tier_id, t.name AS tier_name, t.color, t.price_minor, t.currency
          FROM unnest(v_won, v_orders, v_fences) AS w (claim, order_id, fence)
          JOIN unnest(p_seat_claims, p_seat_ids) WITH ORDINALITY AS q (claim, seat_id, ordinality) ON q.claim = w.claim
          JOIN catalogue.seats AS c ON c.id = q.seat_id
          JOIN catalogue.tiers AS t ON t.id = c.tier_id
    ), total AS MATERIALIZED (
        SELECT l.claim, l.order_id, l.fence, sum(l.price_minor)::bigint AS amount, min(l.currency) AS currency
          FROM line AS l
         GROUP BY l.claim, l.order_id, l.fence
    ), placed AS (
        INSERT INTO orders (order_id, user_id, event_id, organization_id, session_id, status, fence, held_until,
                            currency, sub_total_minor, price_minor, created_at, updated_at)
        SELECT t.order_id, p_user_ids[t.claim], p_event_ids[t.claim], p_organization_ids[t.claim],
               p_session_ids[t.claim], CASE WHEN t.amount = 0 THEN 'completed' ELSE 'pending' END, t.fence, v_until,
               t.currency, t.amount, t.amount, v_now, v_now
          FROM total AS t
    ), lines AS (
        INSERT INTO order_lines (order_id, position, seat_id, seat_label, tier_id, tier_name, colour, price_minor)
        SELECT l.order_id, row_number() OVER (PARTITION BY l.order_id ORDER BY l.position),
               l.seat_id, l.label, l.tier_id, l.tier_name, l.color, l.price_minor
          FROM line AS l
    )
    UPDATE seats AS s
       SET state = CASE WHEN t.amount = 0 THEN 'SOLD' ELSE 'HELD' END,
           held_until = CASE WHEN t.amount = 0 THEN NULL ELSE v_until END,
           order_id = l.order_id,
           fence = l.fence
      FROM line AS l
      JOIN total AS t ON t.order_id = l.order_id
     WHERE s.session_id = l.session_id AND s.seat_id = l.seat_id;
    GET DIAGNOSTICS v_updated = ROW_COUNT;
    IF v_updated <> v_wanted THEN
        RAISE EXCEPTION 'a batch may hold each seat once: % seats asked for, % claimed', v_wanted, v_updated
            USING ERRCODE = 'cardinality_violation';
    END IF;

    -- An order of total 0 needs no payment: its tickets exist at once.
    INSERT INTO tickets (ticket_id, order_id, session_id, seat_id, event_id, issued_at)
    SELECT l.ticket_id, o.order_id, o.session_id, l.seat_id, o.event_id, v_now
      FROM orders AS o
      JOIN order_lines AS l ON l.order_id = o.order_id
     WHERE o.order_id = ANY (v_orders) AND o.status = 'completed';

    INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent, occurred_at)
    SELECT 'order.created', d.order_id::text, 'order.created', d.body::text, p_traceparents[w.claim], v_now
      FROM order_documents(v_orders, v_now) AS d
      JOIN unnest(v_won, v_orders) AS w (claim, order_id) ON w.order_id = d.order_id;

    FOR v_row IN
        SELECT w.claim, o.order_id, o.fence, o.held_until, o.session_id, o.status, lines.seat_ids,
               p_idempotency_keys[w.claim] AS key, p_traceparents[w.claim] AS traceparent,
               json_build_object(
                   'order_id', o.order_id,
                   'session_id', o.session_id,
                   'organization_id', o.organization_id,
                   'seat_ids', lines.seat_ids,
                   'user_id', o.user_id,
                   'event_id', o.event_id,
                   'status', o.status,
                   'holdExpiresAt', CASE WHEN o.status = 'pending' THEN instant_text(o.held_until) END,
                   'serverTime', instant_text(v_now),
                   'currency', o.currency,
                   'subTotalMinor', o.sub_total_minor,
                   'discountAmountMinor', o.discount_amount_minor,
                   'priceMinor', o.price_minor,
                   'requiresPayment', o.status = 'pending'
               )::text AS body
          FROM unnest(v_won, v_orders) AS w (claim, order_id)
          JOIN orders AS o ON o.order_id = w.order_id
          CROSS JOIN LATERAL (
              SELECT array_agg(l.seat_id ORDER BY l.position) AS seat_ids
                FROM order_lines AS l WHERE l.order_id = o.order_id
          ) AS lines
    LOOP
        v_answer := v_blank;
        v_answer.claim := v_row.claim;
        v_answer.outcome := 'won';
        v_answer.order_id := v_row.order_id;
        v_answer.fence := v_row.fence;
        v_answer.held_until := CASE WHEN v_row.status = 'pending' THEN v_row.held_until END;
        v_answer.body := v_row.body;
        v_answer.session_id := v_row.session_id;
        v_answer.seat_ids := v_row.seat_ids;
        v_answer.message := seats_message(
            v_row.session_id, v_row.seat_ids, CASE WHEN v_row.status = 'pending' THEN 'LOCKED' ELSE 'BOOKED' END,
            v_row.fence, v_row.order_id, v_answer.held_until, v_now);
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent, occurred_at)
        VALUES ('seats.status', v_row.session_id::text, 'seats.status', v_answer.message, v_row.traceparent, v_now);
        IF v_row.key IS NOT NULL THEN
            -- A row that is still there is older than a day (the look-up above would have found it otherwise).
            INSERT INTO idempotency_keys AS k (subject, route, key, body_digest, status, body, created_at)
            VALUES (p_user_ids[v_row.claim], 'POST /api/order', v_row.key, p_body_digests[v_row.claim], 201,
                    v_row.body, v_now)
            ON CONFLICT (subject, route, key) DO UPDATE
               SET body_digest = excluded.body_digest, status = excluded.status, body = excluded.body,
                   created_at = excluded.created_at;
        END IF;
        RETURN NEXT v_answer;
    END LOOP;
END
$$;

-- migrate:down
