#!/usr/bin/env bash
# Builds the previous version of this program, for the tests in which nodes of two versions work side by side.
#
# Usage: scripts/previous.sh [COMMIT]   prints the path of the program
# COMMIT is by default the newest tag before this commit; without a tag the last state that knew one migration of the schema less.
# It is built without features: what two versions share is the store, the bus and the supervisors.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

before_the_schema() {
    local made
    made=$(git log -1 --first-parent --diff-filter=A --format=%H -- migrations/)
    git rev-parse --verify --quiet "$made^"
}

commit=${1:-$(git describe --tags --abbrev=0 HEAD^ 2>/dev/null || before_the_schema || git rev-parse HEAD^)}
commit=$(git rev-parse --verify "$commit^{commit}")
target=$PWD/target/previous
source=$target/source-$commit
program=$target/$commit
if [[ ! -x $program ]]; then
    mkdir -p "$source"
    git archive "$commit" | tar -x -C "$source"
    cargo build --locked --quiet --manifest-path "$source/Cargo.toml" --target-dir "$target" --bin orchestrator >&2
    mv "$target/debug/orchestrator" "$program"
    rm -rf "$source"
fi
printf '%s\n' "$program"
