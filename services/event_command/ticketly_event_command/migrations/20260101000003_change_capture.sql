-- migrate:up
CREATE TABLE debezium_heartbeat (
    id integer PRIMARY KEY,
    ts timestamptz NOT NULL
);
INSERT INTO debezium_heartbeat (id, ts) VALUES (1, now());

CREATE TABLE lag_canary (
    id integer PRIMARY KEY,
    ts timestamptz NOT NULL
);
INSERT INTO lag_canary (id, ts) VALUES (1, now());

-- Without the full old row an unchanged large value is captured as a placeholder, and compaction keeps just that.
ALTER TABLE organizations REPLICA IDENTITY FULL;
ALTER TABLE organization_members REPLICA IDENTITY FULL;
ALTER TABLE organization_member_roles REPLICA IDENTITY FULL;
ALTER TABLE categories REPLICA IDENTITY FULL;
ALTER TABLE events REPLICA IDENTITY FULL;
ALTER TABLE event_sessions REPLICA IDENTITY FULL;
ALTER TABLE event_cover_photos REPLICA IDENTITY FULL;
ALTER TABLE tiers REPLICA IDENTITY FULL;
ALTER TABLE discounts REPLICA IDENTITY FULL;
ALTER TABLE discount_tiers REPLICA IDENTITY FULL;
ALTER TABLE discount_sessions REPLICA IDENTITY FULL;
ALTER TABLE session_seating_maps REPLICA IDENTITY FULL;
ALTER TABLE session_seats REPLICA IDENTITY FULL;
ALTER TABLE debezium_heartbeat REPLICA IDENTITY FULL;
ALTER TABLE lag_canary REPLICA IDENTITY FULL;

CREATE PUBLICATION ticketly_tables FOR TABLE
    organizations, organization_members, organization_member_roles, categories, events, event_sessions,
    event_cover_photos, tiers, discounts, discount_tiers, discount_sessions, session_seating_maps, session_seats,
    debezium_heartbeat, lag_canary;

-- The capture role belongs to the platform and may be absent where nothing is captured.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'ticketly_cdc') THEN
        GRANT SELECT, INSERT, UPDATE ON debezium_heartbeat TO ticketly_cdc;
    END IF;
END
$$;

-- migrate:down
