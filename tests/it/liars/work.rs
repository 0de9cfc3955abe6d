//! Claims with nothing behind them.

use super::stage::{LIAR, OPEN, Row};

/// Green already, so that nothing but the missing work can hold the claim.
const GREEN: Row = Row {
    check: "test -f calc.py",
    ..LIAR
};

const NOTHING: &[Row] = &[
    Row {
        name: "nothing-at-all",
        why: "it did not do anything",
        worker: "exit 0",
        seen: "bailed",
        without: &["evidence"],
        ..GREEN
    },
    Row {
        name: "empty-commit",
        why: "the commit changes nothing",
        worker: "commit 'feat: everything'",
        seen: "bailed",
        without: &["evidence-is-trees"],
        ..GREEN
    },
    Row {
        name: "commit-and-revert",
        why: "what it did it took back",
        worker: "fix; commit; git -c user.name=w -c user.email=w@x revert --no-edit HEAD >/dev/null",
        seen: "bailed",
        without: &["evidence-is-trees"],
        ..GREEN
    },
    Row {
        name: "touched-files",
        why: "new times are no work",
        worker: "touch -d 2040-01-01 calc.py test_calc.py",
        seen: "bailed",
        without: &["evidence"],
        ..GREEN
    },
    Row {
        name: "said-done",
        why: "its word is a claim",
        worker: "orchestrator agent heartbeat --pct 100 --phase 'all tests pass'; orchestrator agent done --reason 'all done, verified'",
        seen: "bailed",
        without: &["evidence"],
        ..GREEN
    },
    Row {
        name: "said-done-by-mcp",
        why: "its word is a claim, by whatever protocol",
        worker: r#"init='{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{"name":"w","version":"1"}}}'
ready='{"jsonrpc":"2.0","method":"notifications/initialized"}'
call='{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"done","arguments":{"reason":"all done"}}}'
printf '%s\n%s\n%s\n' "$init" "$ready" "$call" | orchestrator mcp > "$outside/mcp.out""#,
        seen: "all done",
        without: &["evidence"],
        ..GREEN
    },
    Row {
        name: "forged-outcome",
        why: "the outcome file is its own word, whatever stands in it",
        worker: r#"printf '{"outcome":"done","reason":"gate passed","gate":{"verdict":"passed"},"state":"completed","evidence":{"changed":true,"files_changed":9}}' > "$ORCHESTRATOR_OUTCOME_FILE""#,
        seen: "bailed",
        without: &["evidence"],
        ..GREEN
    },
    Row {
        name: "no-change-needed",
        why: "there was something to do",
        worker: r#"printf '{"outcome":"no_change_needed","reason":"it works already"}' > "$ORCHESTRATOR_OUTCOME_FILE""#,
        seen: "nothing needs to change",
        without: &["no-change-asks"],
        ..GREEN
    },
    Row {
        name: "only-a-log-entry",
        why: "it wrote down that it did it, and did nothing",
        worker: "orchestrator agent log 'implemented multiplication, all tests pass'",
        seen: "nothing needs to change",
        without: &["words-are-no-work"],
        ..GREEN
    },
    Row {
        name: "on-a-branch-of-its-own",
        why: "the task's branch does not have it",
        worker: "git worktree add --quiet -b mine ../../../mine-of-$ORCHESTRATOR_TASK_ID && cd ../../../mine-of-$ORCHESTRATOR_TASK_ID && fix && commit",
        seen: "bailed",
        without: &["evidence"],
        ..GREEN
    },
    Row {
        name: "on-an-orphan-branch",
        why: "its history is not the base's, so nothing can be merged",
        worker: "git checkout --quiet --orphan mine && fix && commit",
        seen: "bailed",
        without: &["strayed", "merges-with-base"],
        ..LIAR
    },
    Row {
        name: "kept-in-the-stash",
        why: "what is in a stash is in no commit",
        worker: "fix; git -c user.name=w -c user.email=w@x stash --quiet",
        seen: "bailed",
        without: &["evidence"],
        ..GREEN
    },
];

#[test]
fn who_did_nothing_is_not_done() {
    OPEN.refuses(NOTHING);
}
