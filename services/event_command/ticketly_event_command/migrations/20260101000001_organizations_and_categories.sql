-- migrate:up
CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    logo_url text,
    website text,
    user_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX organizations_by_owner ON organizations (user_id, created_at, id);
CREATE INDEX organizations_by_name ON organizations (lower(name), id);

CREATE TABLE organization_members (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    user_id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL DEFAULT '',
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, user_id)
);

CREATE TABLE organization_member_roles (
    member_id uuid NOT NULL REFERENCES organization_members (id) ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('SCANNER')),
    PRIMARY KEY (member_id, role)
);

-- The tier a user's own token last showed: an approval is made with the administrator's token, yet the owner's limit counts.
CREATE TABLE owner_tiers (
    user_id uuid PRIMARY KEY,
    tier text NOT NULL CHECK (tier IN ('FREE', 'PRO', 'ENTERPRISE')),
    seen_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE categories (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    parent_id uuid REFERENCES categories (id),
    position integer NOT NULL,
    CHECK (parent_id IS NULL OR parent_id <> id)
);
CREATE UNIQUE INDEX categories_name_per_parent
    ON categories (coalesce(parent_id, '00000000-0000-0000-0000-000000000000'::uuid), lower(name));
CREATE INDEX categories_by_parent ON categories (parent_id, position);

CREATE TABLE seating_templates (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 255),
    layout_data text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX seating_templates_by_organization ON seating_templates (organization_id, updated_at DESC, id);

-- The first successful answer per (subject, route, key), written in the transaction of the effect.
CREATE TABLE idempotency_keys (
    subject uuid NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    body_digest bytea NOT NULL,
    status smallint,
    etag text,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, route, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- migrate:down
