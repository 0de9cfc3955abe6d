#!/bin/sh
# Once, before the first `docker compose up`: passwords of its own into .env, and the configurations made from the templates.
# Usage: ./init.sh DOMAIN      What is there already is kept; remove config/ to have it made anew from .env.
set -eu
cd "$(dirname "$0")"
umask 077

secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

if [ ! -f .env ]; then
    domain=${1:-}
    case $domain in
    *[!a-z0-9.-]* | '' | .* | -*) echo "usage: ./init.sh DOMAIN      such as chat.example.org" >&2; exit 2 ;;
    esac
    {
        echo "MATRIX_DOMAIN=$domain"
        for name in POSTGRES_PASSWORD REGISTRATION_SECRET MACAROON_SECRET FORM_SECRET TURN_SECRET LIVEKIT_SECRET; do
            echo "$name=$(secret)"
        done
    } >.env.new
    mv .env.new .env
    echo "made .env"
fi

mkdir -p config
cp -n log.yaml config/log.yaml
for template in *.template; do
    made=config/${template%.template}
    [ ! -e "$made" ] || continue
    text=$(cat "$template")
    while IFS='=' read -r name value; do
        text=$(printf '%s\n' "$text" | sed "s|@$name@|$value|g")
    done <.env
    printf '%s\n' "$text" >"$made"
    echo "made $made"
done
# The programs within run as users of their own, and read these; the folder above is yours alone.
chmod 755 config
chmod 644 config/*
