-- Databases and roles of a Ticketly platform: one role for each service, which owns its database, one for Keycloak, one
-- for change capture. Idempotent: run it again after a password was rotated. Run as the master user of the server, which
-- need not be a superuser (on RDS it is not). Passwords come from the environment and are never printed; the server
-- writes no statements to its log but slow ones.

\set ON_ERROR_STOP on
\set QUIET on
\getenv event_command EVENT_COMMAND_PASSWORD
\getenv order ORDER_PASSWORD
\getenv scheduler SCHEDULER_PASSWORD
\getenv email EMAIL_PASSWORD
\getenv keycloak KEYCLOAK_PASSWORD
\getenv cdc CDC_PASSWORD

SET password_encryption = 'scram-sha-256';

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY[
    'ticketly_event_command', 'ticketly_order', 'ticketly_scheduler', 'ticketly_email', 'keycloak', 'ticketly_cdc'
]) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE ticketly_event_command PASSWORD :'event_command';
ALTER ROLE ticketly_order PASSWORD :'order';
ALTER ROLE ticketly_scheduler PASSWORD :'scheduler';
ALTER ROLE ticketly_email PASSWORD :'email';
ALTER ROLE keycloak PASSWORD :'keycloak';
ALTER ROLE ticketly_cdc PASSWORD :'cdc';

-- Change capture: on RDS a membership, elsewhere an attribute.
SELECT CASE
    WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication') THEN 'GRANT rds_replication TO ticketly_cdc'
    ELSE 'ALTER ROLE ticketly_cdc REPLICATION'
END
\gexec

-- To make a database for a role one has to be able to become that role.
SELECT format('GRANT %I TO CURRENT_USER WITH SET TRUE', name)
FROM unnest(ARRAY['ticketly_event_command', 'ticketly_order', 'ticketly_scheduler', 'ticketly_email', 'keycloak']) AS name
\gexec

SELECT format('CREATE DATABASE %I OWNER %I', name, owner)
FROM (VALUES
    ('event_service', 'ticketly_event_command'),
    ('order_service', 'ticketly_order'),
    ('scheduler_service', 'ticketly_scheduler'),
    ('email_service', 'ticketly_email'),
    ('keycloak', 'keycloak')
) AS wanted (name, owner)
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name)
\gexec

-- Nobody connects to a database that is not theirs.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', datname)
FROM pg_database WHERE datname IN ('event_service', 'order_service', 'scheduler_service', 'email_service', 'keycloak')
\gexec
GRANT CONNECT ON DATABASE event_service, order_service TO ticketly_cdc;

-- What change capture reads: every table the event service makes, and what the order service's own migrations grant.
\connect event_service
SET ROLE ticketly_event_command;
GRANT USAGE ON SCHEMA public TO ticketly_cdc;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO ticketly_cdc;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO ticketly_cdc;
RESET ROLE;
