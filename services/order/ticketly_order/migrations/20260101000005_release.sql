-- migrate:up

-- What a release answers. outcome: released | unchanged (status says what the order is) | not-due | not-found.
CREATE TYPE release_answer AS (
    outcome    text,
    status     text,
    session_id uuid,
    seat_ids   uuid[],
    fence      bigint,
    message    text
);

-- Ends a pending order and frees the seats that are still its own, in the full lock order: session (shared), order,
-- seats by id. p_reason is buyer, expired, session-cancelled or payment-failed; with p_user_id only that buyer's
-- order is found. A seat that another claim has taken over carries another order and fence and is left alone.
-- 'expired' acts only once the deadline has passed; a buyer who cancels too late gets an expired order.
CREATE FUNCTION release_order(p_order_id uuid, p_user_id text, p_reason text, p_traceparent text)
RETURNS release_answer
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_order  orders;
    v_answer release_answer;
    v_now    timestamptz;
    v_reason text := p_reason;
BEGIN
    -- The session of an order never changes, so it may be read before the locks.
    SELECT o.session_id INTO v_answer.session_id
      FROM orders AS o
     WHERE o.order_id = p_order_id AND (p_user_id IS NULL OR o.user_id = p_user_id);
    IF NOT FOUND THEN
        v_answer.outcome := 'not-found';
        RETURN v_answer;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(2, hashtext(v_answer.session_id::text));
    PERFORM 1 FROM orders AS o WHERE o.order_id = p_order_id FOR UPDATE;
    SELECT * INTO v_order FROM orders AS o WHERE o.order_id = p_order_id;

    v_now := date_trunc('milliseconds', clock_timestamp());
    v_answer.status := v_order.status;
    IF v_order.status <> 'pending' THEN
        v_answer.outcome := 'unchanged';
        RETURN v_answer;
    END IF;
    IF v_reason = 'expired' AND v_order.held_until > clock_timestamp() THEN
        v_answer.outcome := 'not-due';
        RETURN v_answer;
    END IF;
    IF v_reason = 'buyer' AND v_order.held_until <= clock_timestamp() THEN
        v_reason := 'expired';
    END IF;

    PERFORM 1
       FROM order_lines AS l
       JOIN seats AS s ON s.session_id = v_order.session_id AND s.seat_id = l.seat_id
      WHERE l.order_id = p_order_id
      ORDER BY s.seat_id
        FOR UPDATE OF s;

    v_answer.fence := nextval('seat_fence');
    WITH freed AS (
        UPDATE seats AS s
           SET state = 'AVAILABLE', order_id = NULL, held_until = NULL, fence = v_answer.fence
          FROM order_lines AS l
         WHERE l.order_id = p_order_id
           AND s.session_id = v_order.session_id AND s.seat_id = l.seat_id
           AND s.order_id = p_order_id AND s.fence = v_order.fence
        RETURNING s.seat_id, l.position
    )
    SELECT coalesce(array_agg(f.seat_id ORDER BY f.position), '{}') INTO v_answer.seat_ids FROM freed AS f;

    v_answer.status := CASE WHEN v_reason = 'expired' THEN 'expired' ELSE 'cancelled' END;
    v_answer.outcome := 'released';
    UPDATE orders AS o
       SET status = v_answer.status, cancel_reason = v_reason, version = o.version + 1, fence = v_answer.fence,
           updated_at = v_now
     WHERE o.order_id = p_order_id AND o.status = 'pending' AND o.fence = v_order.fence;

    IF cardinality(v_answer.seat_ids) > 0 THEN
        v_answer.message := seats_message(
            v_order.session_id, v_answer.seat_ids, 'AVAILABLE', v_answer.fence, p_order_id, NULL, v_now);
        INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent, occurred_at)
        VALUES ('seats.status', v_order.session_id::text, 'seats.status', v_answer.message, p_traceparent, v_now);
    END IF;

    -- The order object with two members more: texts are joined, so that the object stays exactly what readers know.
    INSERT INTO outbox (aggregatetype, aggregateid, type, payload, traceparent, occurred_at)
    SELECT 'order.canceled', p_order_id::text, 'order.canceled',
           left(d.body::text, -1) || ', "seat_ids" : ' || array_to_json(v_answer.seat_ids)::text
               || ', "reason" : ' || to_json(v_reason)::text || '}',
           p_traceparent, v_now
      FROM order_documents(ARRAY[p_order_id], v_now) AS d;
    RETURN v_answer;
END
$$;

-- Applies what the write side says about one session's sale. The exclusive lock waits for every claim that was
-- decided under the old status and keeps new ones out; the flip commits alone, and orders are cancelled afterwards,
-- each in its own transaction. Returns whether the row changed.
CREATE FUNCTION catalogue.apply_session(
    p_id uuid, p_event_id uuid, p_status text, p_start_time timestamptz, p_end_time timestamptz,
    p_sales_start_time timestamptz, p_sales_end_time timestamptz, p_layout_version integer, p_seat_count integer,
    p_version bigint, p_deleted boolean
) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM catalogue.begin_layout_change();
    PERFORM pg_advisory_xact_lock(2, hashtext(p_id::text));
    INSERT INTO catalogue.sessions AS s (id, event_id, status, start_time, end_time, sales_start_time, sales_end_time,
                                         layout_version, seat_count, version, deleted)
    VALUES (p_id, p_event_id, p_status, p_start_time, p_end_time, p_sales_start_time, p_sales_end_time,
            p_layout_version, p_seat_count, p_version, p_deleted)
    ON CONFLICT (id) DO UPDATE
       SET event_id = coalesce(excluded.event_id, s.event_id), status = excluded.status,
           start_time = excluded.start_time, end_time = excluded.end_time,
           sales_start_time = excluded.sales_start_time, sales_end_time = excluded.sales_end_time,
           layout_version = excluded.layout_version, seat_count = excluded.seat_count,
           version = excluded.version, deleted = excluded.deleted
     WHERE s.version <= excluded.version;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM catalogue.refresh_readiness(ARRAY[p_id]);
    RETURN true;
END
$$;

-- migrate:down
