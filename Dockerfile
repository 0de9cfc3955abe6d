# Two stages: build with the toolchain, run with the program, git and a shell.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# Dependencies first: this layer is built again only when they change.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src tests/it benches/figures \
    && echo '//! Stands in until the sources are copied.' | tee src/lib.rs > tests/it/main.rs \
    && echo 'fn main() {}' | tee src/main.rs > benches/figures/main.rs \
    && cargo build --release --locked \
    && rm -rf src tests benches
COPY . .
RUN touch src/lib.rs src/main.rs && cargo build --release --locked

FROM debian:bookworm-slim
# git and a shell are what workspaces and checks need; bubblewrap locks workers and checks in where the engine allows user
# namespaces (else Landlock does); tini ends what a worker may leave behind.
RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap ca-certificates git tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 orchestrator \
    && install -d -o orchestrator /instance
COPY --from=build /src/target/release/orchestrator /usr/local/bin/orchestrator
USER orchestrator
WORKDIR /instance
ENV ORCHESTRATOR_HOME=/instance
# The instance (queue, progress, state) is the caller's: docker run -v "$PWD:/instance" ...
VOLUME ["/instance"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["sh", "-c", "orchestrator status --json | grep -q '\"running\": *true'"]
ENTRYPOINT ["tini", "--", "orchestrator"]
CMD ["up"]
