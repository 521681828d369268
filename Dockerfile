# Builds the image of the server. `docker build -t mycars .`; docker-compose.yml starts it with PostgreSQL.

FROM rust:1-bookworm AS build
# OpenSSL's headers, for libpq with TLS (feature `pg-tls`). libpq itself and SQLite are compiled into the binary.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The settings' defaults and the migrations become part of the binary.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY config config
COPY migrations migrations
COPY crates crates
# Not built, but members of the workspace that the lock file is for.
COPY examples examples
COPY benches benches
# The caches are kept for the next build, and are not part of the image: the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package mycars-server --no-default-features --features pg-tls,tls,otel \
    && install -D target/release/mycars /out/mycars

FROM debian:bookworm-slim
# OpenSSL, which the binary is linked with, and the authorities for `sslmode=verify-full&sslrootcert=system`.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/*
# A fixed id, so that the owner of a mounted folder can be set from outside.
RUN groupadd --gid 10001 mycars \
    && useradd --uid 10001 --gid mycars --home-dir /data --no-create-home --shell /usr/sbin/nologin mycars \
    && install --directory --owner=mycars --group=mycars --mode=0700 /data
COPY --from=build /out/mycars /usr/local/bin/mycars
COPY LICENSE /usr/share/doc/mycars/LICENSE

LABEL org.opencontainers.image.title="My Cars" \
      org.opencontainers.image.description="Car-management backend with role-based access" \
      org.opencontainers.image.licenses="MIT"

# `production` turns DEBUG off, so that SECRET_KEY and ALLOWED_HOSTS must be given, and logs as JSON. Everything is
# written to /data, also the pictures while they are received: the rest may be read-only.
ENV MYCARS_ENVIRONMENT=production \
    MYCARS__DATA_DIR=/data \
    TMPDIR=/data \
    MYCARS__SERVER__BIND=0.0.0.0:8000

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["mycars", "healthcheck"]

ENTRYPOINT ["mycars"]
CMD ["runserver"]
