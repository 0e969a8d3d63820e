-- migrate:up

-- Seat state: the one place where "free", "held" and "sold" exist. One row per seat, inserted AVAILABLE when the
-- catalogue learns the seat; nothing but the functions of this service changes it afterwards.
-- No column that changes is indexed and pages keep room, so a transition is a heap-only update.
CREATE TABLE seats (
    session_id uuid   NOT NULL,
    seat_id    uuid   NOT NULL,
    state      text   NOT NULL DEFAULT 'AVAILABLE',
    order_id   uuid,
    fence      bigint NOT NULL DEFAULT 0,
    held_until timestamptz,
    PRIMARY KEY (session_id, seat_id),
    CONSTRAINT seats_state_is_known CHECK (state IN ('AVAILABLE', 'HELD', 'SOLD')),
    CONSTRAINT seats_owner_matches_state CHECK ((state = 'AVAILABLE') = (order_id IS NULL)),
    CONSTRAINT seats_deadline_matches_state CHECK ((state = 'HELD') = (held_until IS NOT NULL))
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);

-- One number per transition of a seat. CACHE 1 and drawn only while all seat locks are held: it grows per seat.
CREATE SEQUENCE seat_fence AS bigint CACHE 1;

CREATE TABLE orders (
    order_id              uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id               text        NOT NULL,
    event_id              uuid        NOT NULL,
    organization_id       uuid        NOT NULL,
    session_id            uuid        NOT NULL,
    status                text        NOT NULL,
    cancel_reason         text,
    version               integer     NOT NULL DEFAULT 1,
    fence                 bigint      NOT NULL,
    held_until            timestamptz NOT NULL,
    currency              text        NOT NULL,
    sub_total_minor       bigint      NOT NULL,
    discount_amount_minor bigint      NOT NULL DEFAULT 0,
    price_minor           bigint      NOT NULL,
    refunded_minor        bigint      NOT NULL DEFAULT 0,
    discount_id           uuid,
    discount_code         text,
    payment_intent_id     text,
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL,
    CONSTRAINT orders_status_is_known
        CHECK (status IN ('pending', 'completed', 'cancelled', 'expired', 'refunded', 'partially_refunded')),
    CONSTRAINT orders_reason_is_known
        CHECK (cancel_reason IN ('buyer', 'expired', 'session-cancelled', 'payment-failed')),
    CONSTRAINT orders_reason_matches_status
        CHECK (status NOT IN ('cancelled', 'expired') OR cancel_reason IS NOT NULL),
    CONSTRAINT orders_amounts_add_up CHECK (
        sub_total_minor >= 0 AND discount_amount_minor BETWEEN 0 AND sub_total_minor
        AND price_minor = sub_total_minor - discount_amount_minor AND refunded_minor BETWEEN 0 AND price_minor)
) WITH (fillfactor = 80);
CREATE INDEX orders_of_user ON orders (user_id, order_id);
CREATE INDEX orders_pending_of_user ON orders (user_id, held_until) WHERE status = 'pending';
CREATE INDEX orders_pending_by_deadline ON orders (held_until) WHERE status = 'pending';
CREATE INDEX orders_pending_of_session ON orders (session_id) WHERE status = 'pending';
CREATE INDEX orders_of_event ON orders (event_id, order_id);

-- What was bought at which price: frozen at the claim. ticket_id is final from the beginning.
CREATE TABLE order_lines (
    order_id    uuid     NOT NULL,
    position    smallint NOT NULL,
    ticket_id   uuid     NOT NULL DEFAULT uuidv7(),
    seat_id     uuid     NOT NULL,
    seat_label  text     NOT NULL,
    tier_id     uuid     NOT NULL,
    tier_name   text     NOT NULL,
    colour      text     NOT NULL,
    price_minor bigint   NOT NULL CHECK (price_minor >= 0),
    PRIMARY KEY (order_id, position)
);

-- Tickets exist only after settlement. The partial unique index is the second wall against a double sale.
CREATE TABLE tickets (
    ticket_id     uuid PRIMARY KEY,
    order_id      uuid        NOT NULL REFERENCES orders (order_id),
    session_id    uuid        NOT NULL,
    seat_id       uuid        NOT NULL,
    event_id      uuid        NOT NULL,
    issued_at     timestamptz NOT NULL,
    checked_in_at timestamptz,
    revoked_at    timestamptz
);
CREATE UNIQUE INDEX tickets_one_live_ticket_per_seat ON tickets (session_id, seat_id) WHERE revoked_at IS NULL;
CREATE INDEX tickets_of_order ON tickets (order_id);
CREATE INDEX tickets_live_of_event ON tickets (event_id) WHERE revoked_at IS NULL;

-- Messages leave with the transaction that caused them. Time-ordered ids make pruning a range delete.
CREATE TABLE outbox (
    id            uuid PRIMARY KEY DEFAULT uuidv7(),
    aggregatetype text        NOT NULL,
    aggregateid   text        NOT NULL,
    type          text        NOT NULL,
    payload       text        NOT NULL,
    traceparent   text,
    occurred_at   timestamptz NOT NULL
);

-- The first successful answer to a request with an Idempotency-Key; written in the effect's own transaction.
CREATE TABLE idempotency_keys (
    subject     text        NOT NULL,
    route       text        NOT NULL,
    key         text        NOT NULL,
    body_digest bytea       NOT NULL,
    status      smallint    NOT NULL,
    body        text        NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (subject, route, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE debezium_heartbeat (
    id int PRIMARY KEY,
    ts timestamptz
);
ALTER TABLE debezium_heartbeat REPLICA IDENTITY FULL;

-- Pruning deletes outbox rows; those deletes are nobody's business, so they are not published.
CREATE PUBLICATION ticketly_outbox FOR TABLE outbox, debezium_heartbeat WITH (publish = 'insert, update');

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'ticketly_cdc') THEN
        GRANT USAGE ON SCHEMA public TO ticketly_cdc;
        GRANT SELECT ON outbox TO ticketly_cdc;
        GRANT SELECT, INSERT, UPDATE ON debezium_heartbeat TO ticketly_cdc;
    END IF;
END
$$;

-- migrate:down
