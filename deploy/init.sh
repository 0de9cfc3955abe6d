#!/bin/sh
# Makes what `docker compose up` needs beside this file, once: .env with passwords that nobody else has, and the folder
# `instance` with a configuration and a queue. What is there already is kept.
set -eu
cd "$(dirname "$0")"
umask 077

secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

# Nothing runs as root in the containers, also where you are root here.
user=$(id -u)
[ "$user" != 0 ] || user=10001

if [ ! -e .env ]; then
    cat > .env.part <<ENV
POSTGRES_PASSWORD=$(secret)
VALKEY_PASSWORD=$(secret)
ORCHESTRATOR_UID=$user
ANTHROPIC_API_KEY=
OPENAI_API_KEY=
ENV
    mv .env.part .env
    echo "wrote .env (for your eyes alone); put the keys of your providers into it"
fi
mkdir -p instance
[ "$(id -u)" != 0 ] || chown "$user:$user" instance
if [ ! -e instance/orchestrator.toml ]; then
    # `init` writes files, and asks for no database.
    docker compose run --rm --no-deps --entrypoint orchestrator orchestrator init /instance
fi
