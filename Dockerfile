# The images of the operator and of the five services, one target each:
#
#   docker build --target order --tag registry.example.com/ticketly/order:0.1.0 .
#
# An image is Python on Debian and one virtual environment, made from uv.lock, without a package manager's cache and
# without anything to build with. It runs as user 65532, writes nothing but below /tmp, and needs no shell.
#
# The base is pinned by digest (the multi-platform index of the Docker Official Image); a mirror of it is named by
# --build-arg PYTHON_IMAGE=mirror.example.com/python@sha256:...

ARG PYTHON_IMAGE=python:3.11.16-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

# --- what everything is built with ------------------------------------------------------------------------------------

FROM ${PYTHON_IMAGE} AS build
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/ticketly
WORKDIR /src
COPY scripts/uv.txt scripts/
RUN ["pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--require-hashes", "--requirement", "scripts/uv.txt"]
COPY . .
# a new volume takes its owner from the folder it covers
RUN ["mkdir", "/uploads"]

# --- what everything runs on ------------------------------------------------------------------------------------------

FROM ${PYTHON_IMAGE} AS runtime
ENV PATH=/opt/ticketly/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.vendor="Ticketly" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11.16-slim-bookworm"
WORKDIR /tmp
USER 65532:65532

# --- operator ----------------------------------------------------------------------------------------------------------

FROM build AS build-operator
RUN --mount=type=cache,target=/root/.cache/uv \
    ["uv", "sync", "--frozen", "--no-dev", "--no-editable", "--package", "ticketly-operator"]

FROM runtime AS operator
LABEL org.opencontainers.image.title="ticketly-operator" \
      org.opencontainers.image.description="Reconciles TicketlyPlatform resources"
COPY --from=build-operator /opt/ticketly /opt/ticketly
EXPOSE 8080
ENTRYPOINT ["python", "-m", "ticketly_operator"]

# --- event-command -----------------------------------------------------------------------------------------------------

FROM build AS build-event-command
RUN --mount=type=cache,target=/root/.cache/uv \
    ["uv", "sync", "--frozen", "--no-dev", "--no-editable", "--package", "ticketly-event-command"]

FROM runtime AS event-command
LABEL org.opencontainers.image.title="ticketly-event-command" \
      org.opencontainers.image.description="Write side: organizations, events, sessions, layouts"
COPY --from=build-event-command /opt/ticketly /opt/ticketly
COPY --from=build --chown=65532:65532 /uploads /var/lib/ticketly/uploads
EXPOSE 8081 9081
ENTRYPOINT ["python", "-m", "ticketly_event_command"]

# --- event-query -------------------------------------------------------------------------------------------------------

FROM build AS build-event-query
RUN --mount=type=cache,target=/root/.cache/uv \
    ["uv", "sync", "--frozen", "--no-dev", "--no-editable", "--package", "ticketly-event-query"]

FROM runtime AS event-query
LABEL org.opencontainers.image.title="ticketly-event-query" \
      org.opencontainers.image.description="Read side: projections, seat maps, streams"
COPY --from=build-event-query /opt/ticketly /opt/ticketly
EXPOSE 8082 9082
ENTRYPOINT ["python", "-m", "ticketly_event_query"]

# --- order -------------------------------------------------------------------------------------------------------------

FROM build AS build-order
RUN --mount=type=cache,target=/root/.cache/uv \
    ["uv", "sync", "--frozen", "--no-dev", "--no-editable", "--package", "ticketly-order"]

FROM runtime AS order
LABEL org.opencontainers.image.title="ticketly-order" \
      org.opencontainers.image.description="Claims, orders and the outbox"
COPY --from=build-order /opt/ticketly /opt/ticketly
EXPOSE 8084 9084
ENTRYPOINT ["python", "-m", "ticketly_order"]

# --- scheduler ---------------------------------------------------------------------------------------------------------

FROM build AS build-scheduler
RUN --mount=type=cache,target=/root/.cache/uv \
    ["uv", "sync", "--frozen", "--no-dev", "--no-editable", "--package", "ticketly-scheduler"]

FROM runtime AS scheduler
LABEL org.opencontainers.image.title="ticketly-scheduler" \
      org.opencontainers.image.description="Due work: schedules and subscriptions"
COPY --from=build-scheduler /opt/ticketly /opt/ticketly
EXPOSE 8085 9085
ENTRYPOINT ["python", "-m", "ticketly_scheduler"]

# --- email -------------------------------------------------------------------------------------------------------------

FROM build AS build-email
RUN --mount=type=cache,target=/root/.cache/uv \
    ["uv", "sync", "--frozen", "--no-dev", "--no-editable", "--package", "ticketly-email"]

FROM runtime AS email
LABEL org.opencontainers.image.title="ticketly-email" \
      org.opencontainers.image.description="Mail sending with a ledger"
COPY --from=build-email /opt/ticketly /opt/ticketly
EXPOSE 9086
ENTRYPOINT ["python", "-m", "ticketly_email"]
