-- migrate:up

-- The catalogue: what the write side has published about events, in a form a claim can check without leaving this
-- database. Only change capture writes here. Every table keeps the log position of its row ("version"): a change is
-- applied when it is at least as new. Deletes stay as versioned tombstones, so that a late older record cannot bring
-- a row back; a tombstone may know nothing but its key, hence the nullable columns and their CHECK.

CREATE SCHEMA catalogue;

CREATE TABLE catalogue.organizations (
    id       uuid PRIMARY KEY,
    owner_id text,
    name     text,
    version  bigint  NOT NULL,
    deleted  boolean NOT NULL DEFAULT false,
    CONSTRAINT organizations_live_rows_are_complete CHECK (deleted OR owner_id IS NOT NULL)
);

CREATE TABLE catalogue.events (
    id              uuid PRIMARY KEY,
    organization_id uuid,
    title           text,
    status          text,
    currency        text,
    version         bigint  NOT NULL,
    deleted         boolean NOT NULL DEFAULT false,
    CONSTRAINT events_live_rows_are_complete
        CHECK (deleted OR (organization_id IS NOT NULL AND title IS NOT NULL AND status IS NOT NULL))
);
CREATE INDEX events_by_organization ON catalogue.events (organization_id) WHERE NOT deleted;

-- "ready": the catalogue holds exactly seat_count live seats of the session's layout_version. Topics have no mutual
-- order, so a session may be known before its seats (or the other way round); until then a claim answers 503.
CREATE TABLE catalogue.sessions (
    id               uuid PRIMARY KEY,
    event_id         uuid,
    status           text,
    start_time       timestamptz,
    end_time         timestamptz,
    sales_start_time timestamptz,
    sales_end_time   timestamptz,
    layout_version   integer,
    seat_count       integer,
    ready            boolean NOT NULL DEFAULT false,
    version          bigint  NOT NULL,
    deleted          boolean NOT NULL DEFAULT false,
    CONSTRAINT sessions_live_rows_are_complete CHECK (deleted OR (
        event_id IS NOT NULL AND status IS NOT NULL AND start_time IS NOT NULL AND end_time IS NOT NULL
        AND layout_version IS NOT NULL AND seat_count IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX sessions_by_event ON catalogue.sessions (event_id);
CREATE INDEX sessions_closed_for_good ON catalogue.sessions (id) WHERE deleted OR status = 'CANCELLED';

CREATE TABLE catalogue.tiers (
    id          uuid PRIMARY KEY,
    event_id    uuid,
    name        text,
    color       text,
    price_minor bigint,
    currency    text,
    version     bigint  NOT NULL,
    deleted     boolean NOT NULL DEFAULT false,
    CONSTRAINT tiers_live_rows_are_complete CHECK (deleted OR (
        name IS NOT NULL AND color IS NOT NULL AND price_minor >= 0 AND currency IS NOT NULL))
);

-- The index carries everything "ready" asks for, so that counting 100,000 seats never touches the table.
CREATE TABLE catalogue.seats (
    id             uuid PRIMARY KEY,
    session_id     uuid,
    block_id       uuid,
    label          text,
    tier_id        uuid,
    blocked        boolean,
    layout_version integer,
    version        bigint  NOT NULL,
    deleted        boolean NOT NULL DEFAULT false,
    CONSTRAINT seats_live_rows_are_complete CHECK (deleted OR (
        session_id IS NOT NULL AND label IS NOT NULL AND blocked IS NOT NULL AND layout_version IS NOT NULL))
);
CREATE INDEX seats_by_session ON catalogue.seats (session_id, layout_version) WHERE NOT deleted;

-- How far each partition has been applied; written in the transaction that applies it.
CREATE TABLE catalogue.positions (
    topic       text    NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint  NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- First statement of every transaction that writes sessions or seats. Those writers run side by side and would not
-- see each other's uncommitted rows, so "ready" could be computed wrong by both and stay wrong. Order of locks:
-- this one, then the session's (class 2), then rows. Claims never take it.
CREATE FUNCTION catalogue.begin_layout_change() RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(3, 0);
END
$$;

-- Recomputes "ready" for the given sessions.
CREATE FUNCTION catalogue.refresh_readiness(p_session_ids uuid[]) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    UPDATE catalogue.sessions AS s
       SET ready = found.complete
      FROM (SELECT t.id,
                   NOT t.deleted AND t.seat_count = (
                       SELECT count(*) FROM catalogue.seats AS c
                        WHERE c.session_id = t.id AND c.layout_version = t.layout_version AND NOT c.deleted
                   ) AS complete
              FROM catalogue.sessions AS t
             WHERE t.id = ANY (p_session_ids)) AS found
     WHERE s.id = found.id AND s.ready IS DISTINCT FROM found.complete;
END
$$;

-- migrate:down
