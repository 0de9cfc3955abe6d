# Two stages: build with the toolchain, run with the program, git and a shell.
FROM rust:1.95-slim-bookworm AS build
# The distribution's newest fixes are wanted here, not a version.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# Dependencies first: this layer is built again only when they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src tests/it benches/figures \
    && echo '//! Stands in until the sources are copied.' > src/lib.rs \
    && cp src/lib.rs tests/it/main.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cp src/main.rs benches/figures/main.rs \
    && cargo build --release --locked --features matrix \
    && rm -rf src tests benches
COPY . .
RUN touch src/lib.rs src/main.rs && cargo build --release --locked --features matrix

FROM debian:bookworm-slim
# The user's number, for those who mount a folder of their own.
ARG UID=10001
# git and a shell are what workspaces and checks need; bubblewrap locks workers and checks in where the engine allows user
# namespaces (else Landlock does); tini ends what a worker may leave behind.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap ca-certificates git tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid "$UID" --user-group orchestrator \
    && install -d -o orchestrator -g orchestrator /instance
COPY --from=build /src/target/release/orchestrator /usr/local/bin/orchestrator
USER ${UID}
WORKDIR /instance
ENV ORCHESTRATOR_HOME=/instance
# The instance (queue, progress, state) is the caller's: docker run -v "$PWD:/instance" ... Nothing else is written but the home
# folder and /tmp, so the root may be read-only: docker run --read-only --tmpfs /tmp --tmpfs /home/orchestrator ...
VOLUME ["/instance"]
EXPOSE 7878
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["sh", "-c", "orchestrator status --json | grep -q '\"running\": *true'"]
ENTRYPOINT ["tini", "--", "orchestrator"]
CMD ["up"]
