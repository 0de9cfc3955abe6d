#!/usr/bin/env bash
# Builds the previous version of this program, for the tests in which nodes of two versions work side by side.
#
# Usage: scripts/previous.sh [COMMIT]   prints the path of the program
# COMMIT is by default the newest tag before this commit, or the commit that this one was made from.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

commit=${1:-$(git describe --tags --abbrev=0 HEAD^ 2>/dev/null || git rev-parse HEAD^)}
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
