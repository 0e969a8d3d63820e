-- migrate:up
CREATE TABLE events (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    title text NOT NULL CHECK (char_length(title) BETWEEN 3 AND 255),
    description text NOT NULL DEFAULT '',
    overview text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'APPROVED', 'REJECTED', 'COMPLETED')),
    rejection_reason text,
    cancellation_reason text,
    category_id uuid NOT NULL REFERENCES categories (id),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_by_organization ON events (organization_id, updated_at DESC, id);
CREATE INDEX events_by_status ON events (status, updated_at DESC, id);
CREATE INDEX events_by_update ON events (updated_at DESC, id);
CREATE INDEX events_by_category ON events (category_id);

CREATE TABLE event_cover_photos (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    photo_url text NOT NULL,
    position integer NOT NULL DEFAULT 0
);
CREATE INDEX event_cover_photos_by_event ON event_cover_photos (event_id, position, id);

CREATE TABLE tiers (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    color text NOT NULL DEFAULT '#6B7280' CHECK (color ~ '^#[0-9A-Fa-f]{6}$'),
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    position integer NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX tiers_name_per_event ON tiers (event_id, lower(name));

CREATE TABLE event_sessions (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'SCHEDULED'
        CHECK (status IN ('PENDING', 'SCHEDULED', 'ON_SALE', 'SOLD_OUT', 'CLOSED', 'CANCELLED')),
    session_type text NOT NULL CHECK (session_type IN ('PHYSICAL', 'ONLINE')),
    sales_start_time timestamptz NOT NULL,
    sales_end_time timestamptz NOT NULL,
    venue_details text NOT NULL,
    time_zone text NOT NULL,
    layout_version integer NOT NULL DEFAULT 1,
    seat_count integer NOT NULL CHECK (seat_count > 0),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (start_time < end_time),
    CHECK (sales_start_time < start_time)
);
CREATE INDEX event_sessions_by_event ON event_sessions (event_id, start_time, id);

CREATE TABLE session_seating_maps (
    id uuid PRIMARY KEY,
    event_session_id uuid NOT NULL UNIQUE REFERENCES event_sessions (id) ON DELETE CASCADE,
    layout_data text NOT NULL,
    layout_version integer NOT NULL
);

CREATE TABLE session_seats (
    id uuid PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES event_sessions (id) ON DELETE CASCADE,
    block_id uuid NOT NULL,
    row_id uuid,
    label text NOT NULL CHECK (char_length(label) BETWEEN 1 AND 32),
    tier_id uuid REFERENCES tiers (id),
    blocked boolean NOT NULL,
    position integer NOT NULL,
    layout_version integer NOT NULL,
    accessible boolean NOT NULL DEFAULT false,
    companion boolean NOT NULL DEFAULT false,
    restricted_view boolean NOT NULL DEFAULT false,
    CHECK (blocked OR tier_id IS NOT NULL)
);
CREATE INDEX session_seats_by_session ON session_seats (session_id);
CREATE INDEX session_seats_by_tier ON session_seats (tier_id);

CREATE TABLE discounts (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    code text NOT NULL CHECK (char_length(code) BETWEEN 1 AND 40 AND code = upper(code COLLATE "C")),
    parameters text NOT NULL,
    max_usage integer CHECK (max_usage >= 1),
    max_usage_per_user integer CHECK (max_usage_per_user >= 1),
    is_public boolean NOT NULL,
    is_active boolean NOT NULL,
    active_from timestamptz,
    expires_at timestamptz,
    position integer NOT NULL DEFAULT 0,
    CONSTRAINT discounts_code_per_event UNIQUE (event_id, code)
);

CREATE TABLE discount_tiers (
    discount_id uuid NOT NULL REFERENCES discounts (id) ON DELETE CASCADE,
    tier_id uuid NOT NULL REFERENCES tiers (id) ON DELETE CASCADE,
    PRIMARY KEY (discount_id, tier_id)
);
CREATE INDEX discount_tiers_by_tier ON discount_tiers (tier_id);

CREATE TABLE discount_sessions (
    discount_id uuid NOT NULL REFERENCES discounts (id) ON DELETE CASCADE,
    session_id uuid NOT NULL REFERENCES event_sessions (id) ON DELETE CASCADE,
    PRIMARY KEY (discount_id, session_id)
);
CREATE INDEX discount_sessions_by_session ON discount_sessions (session_id);

-- migrate:down
