-- Written by python -m ticketly_lab.packaging. Passwords come from the container's environment.
\getenv password TICKETLY_SECRET_POSTGRES_EVENT_COMMAND_PASSWORD
create role ticketly_event_command with login password :'password';
\getenv password TICKETLY_SECRET_POSTGRES_ORDER_PASSWORD
create role ticketly_order with login password :'password';
\getenv password TICKETLY_SECRET_POSTGRES_CDC_PASSWORD
create role ticketly_cdc with login replication password :'password';
grant pg_read_all_data to ticketly_cdc;
create database event_service owner ticketly_event_command;
revoke all on database event_service from public;
grant connect on database event_service to ticketly_cdc;
create database order_service owner ticketly_order;
revoke all on database order_service from public;
grant connect on database order_service to ticketly_cdc;
