#!/usr/bin/env bash
# A private homeserver of Matrix (Synapse, SQLite) for tests and for trying things out, on a free port of the loopback, in one
# folder, for nobody else; and a second, independent client (matrix-nio with encryption) to talk to it.
#
# Usage: scripts/synapse.sh start [FOLDER]   starts it where it is not running and prints the variables that the tests read
#        scripts/synapse.sh env [FOLDER]     prints them again
#        scripts/synapse.sh stop [FOLDER]    ends it and removes the folder
#
# Both come from Python packages, once, into a cache folder. FOLDER is by default one a user. Users are registered with the
# shared secret that is printed; nothing is limited in rate, and nothing federates.
set -euo pipefail

synapse_package=matrix-synapse==1.163.2
client_package=matrix-nio[e2e]==0.26.0

cache="${XDG_CACHE_HOME:-$HOME/.cache}/orchestrator/matrix"

say() { printf '%s\n' "$*" >&2; }

# installed NAME PACKAGE: the Python that has the package, installed when it is not there; nothing where it cannot be had.
installed() {
    local at="$cache/${2//[^a-zA-Z0-9.]/-}"
    if [[ ! -f $at/installed ]]; then
        say "Installing $1 into $at (once)"
        (mkdir -p "$cache" && rm -rf "$at" && python3 -m venv "$at" &&
            "$at/bin/pip" install --quiet --disable-pip-version-check --prefer-binary "$2" &&
            touch "$at/installed") >&2 || { say "$1 cannot be installed"; rm -rf "$at"; return 0; }
    fi
    printf '%s\n' "$at/bin/python"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

configuration() {
    cat <<YAML
server_name: home.test
pid_file: $folder/synapse.pid
signing_key_path: $folder/signing.key
log_config: $folder/log.yaml
media_store_path: $folder/media
report_stats: false
public_baseurl: http://127.0.0.1:$1/
listeners:
  - { port: $1, bind_addresses: [127.0.0.1], type: http, tls: false, resources: [{ names: [client] }] }
database: { name: sqlite3, args: { database: $folder/homeserver.db } }
registration_shared_secret: $2
enable_registration: true
registration_requires_token: true
federation_domain_whitelist: []
trusted_key_servers: []
presence: { enabled: false }
max_upload_size: 10M
rc_message: &free { per_second: 1000, burst_count: 10000 }
rc_registration: *free
rc_login: { address: *free, account: *free, failed_attempts: *free }
rc_joins: { local: *free, remote: *free }
rc_invites: { per_room: *free, per_user: *free, per_issuer: *free }
rc_room_creation: *free
rc_admin_redaction: *free
rc_key_requests: *free
YAML
}

logging() {
    cat <<YAML
version: 1
formatters: { line: { format: '%(asctime)s %(levelname)s %(name)s %(message)s' } }
handlers: { file: { class: logging.FileHandler, filename: $folder/synapse.log, formatter: line } }
root: { level: WARNING, handlers: [file] }
disable_existing_loggers: false
YAML
}

# alive: whether the process that was started last time is there.
alive() { [[ -f $folder/pid ]] && kill -0 "$(cat "$folder/pid")" 2>/dev/null; }

answers() { python3 -c "import sys, urllib.request; urllib.request.urlopen('http://127.0.0.1:$1/health', timeout=2)" 2>/dev/null; }

start() {
    if ! alive; then
        local server client port secret
        stop
        server=$(installed Synapse "$synapse_package")
        client=$(installed matrix-nio "$client_package")
        [[ -n $server && -n $client ]] || exit 1
        (umask 077 && mkdir -p "$folder" && : >"$folder/starting")
        port=$(free_port)
        secret=$(python3 -c 'import secrets; print(secrets.token_hex(16))')
        (umask 077 && configuration "$port" "$secret" >"$folder/homeserver.yaml" && logging >"$folder/log.yaml")
        "$server" -m synapse.app.homeserver -c "$folder/homeserver.yaml" --generate-keys >"$folder/start.log" 2>&1
        (cd "$folder" && exec "$server" -m synapse.app.homeserver -c "$folder/homeserver.yaml" </dev/null >>"$folder/start.log" 2>&1) &
        echo $! >"$folder/pid"
        local end=$((SECONDS + 90))
        until answers "$port"; do
            { ((SECONDS < end)) && alive; } || { say "Synapse does not answer:"; tail -n 5 "$folder/start.log" >&2; exit 1; }
            sleep 0.2
        done
        (umask 077 && cat >"$folder/env" <<ENV
export ORCHESTRATOR_TEST_MATRIX_URL=http://127.0.0.1:$port
export ORCHESTRATOR_TEST_MATRIX_SECRET=$secret
export ORCHESTRATOR_TEST_MATRIX_CLIENT=$client
ENV
        )
    fi
    cat "$folder/env"
}

stop() {
    if alive; then
        local pid end=$((SECONDS + 20))
        pid=$(cat "$folder/pid")
        kill -TERM "$pid"
        while kill -0 "$pid" 2>/dev/null; do
            ((SECONDS < end)) || { kill -KILL "$pid" 2>/dev/null || true; break; }
            sleep 0.1
        done
    fi
    # Only what this script made: the folder has its mark.
    [[ ! -f $folder/starting ]] || rm -rf "$folder"
}

verb=${1:-}
folder=${2:-/tmp/orchestrator-synapse-$(id -u)}
case $verb in
start) start ;;
stop) stop ;;
env) if alive; then cat "$folder/env"; else say "no homeserver is running in $folder"; exit 1; fi ;;
*)
    sed -n '2,11s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
