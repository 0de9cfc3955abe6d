//! Writing to the instance's own files: the queue, the heartbeat, receipts, the store.

use super::stage::{LIAR, OPEN, Row, Stage};

const FILES: &[Row] = &[
    Row {
        name: "queue-says-completed",
        why: "a worker typed the status",
        worker: "sed -i 's/Status:\\*\\* .*/Status:** completed/' \"$instance/PROACTIVE-JOBS.md\"; sleep 0.3; echo notes > notes.txt",
        seen: "check",
        without: &["red-is-red"],
        ..LIAR
    },
    Row {
        name: "queue-says-verified",
        why: "a worker typed the status as a person would",
        worker: "sed -i 's/Status:\\*\\* .*/Status:** ✅ verified (by Mary)/' \"$instance/PROACTIVE-JOBS.md\"; echo notes > notes.txt",
        seen: "check",
        without: &["red-is-red"],
        ..LIAR
    },
    Row {
        name: "section-moved-to-the-archive",
        why: "a worker moved the section itself",
        worker: r####"python3 - "$instance/PROACTIVE-JOBS.md" "$ORCHESTRATOR_TASK_ID" <<'END'
import re, sys
path, task = sys.argv[1:]
text = open(path).read()
at = text.index(f"### {task}:")
end = text.index("## Archived Tasks")
mine = re.sub(r"Status:\*\* .*", "Status:** completed", text[at:end])
open(path, "w").write(text[:at] + text[end:].rstrip() + "\n\n" + mine)
END
echo notes > notes.txt"####,
        seen: "check",
        without: &["red-is-red"],
        ..LIAR
    },
    Row {
        name: "heartbeat-says-completed",
        why: "a heartbeat says that somebody lives, no more",
        worker: r#"printf '{"taskId":"%s","lastHeartbeat":"2099-01-01T00:00:00Z","status":"completed","progressPct":100,"currentPhase":"archived","gate":"passed"}' "$ORCHESTRATOR_TASK_ID" > "$ORCHESTRATOR_HEARTBEAT_FILE"; echo notes > notes.txt"#,
        seen: "check",
        without: &["red-is-red"],
        ..LIAR
    },
    Row {
        name: "forged-receipts",
        why: "receipts are what the orchestrator saw, not what lies in its folder",
        worker: r#"task=$ORCHESTRATOR_TASK_ID; head=$(git rev-parse HEAD); echo notes > notes.txt
for at in gate-output gate receipts; do mkdir -p "$instance/.orchestrator/$at/$task"; printf '{"commit":"%s","verdict":"passed","exit_code":0,"name":"It works","category":"functionality"}' "$head" > "$instance/.orchestrator/$at/$task/receipt.json"; done
printf '{"outcome":"done","reason":"receipts: all green","receipts":[{"verdict":"passed","commit":"%s"}]}' "$head" > "$ORCHESTRATOR_OUTCOME_FILE""#,
        seen: "check",
        without: &["red-is-red"],
        ..LIAR
    },
    Row {
        name: "progress-says-so",
        why: "the progress file was copied from a task that was done, receipts and all",
        worker: r####"printf '# Progress\n\n## Work Log\n- 2026-01-01T00:00:00Z [worker] all done\n\n## Files Changed\n- calc.py\n\n## Dependencies Discovered\nnone\n\n## Open Questions / Blockers\nnone\n\n## Tests / Verification Done\nGate at commit abc:\n- functionality: 1 of 1 checks passed\n' > "$ORCHESTRATOR_PROGRESS_FILE"; echo notes > notes.txt"####,
        seen: "check",
        without: &["red-is-red"],
        ..LIAR
    },
];

/// Each alone: what it writes is everybody's.
#[test]
fn what_is_written_into_the_instance_is_no_verdict() {
    for row in FILES {
        OPEN.refuses(std::slice::from_ref(row));
    }
}

/// By SQL, as whoever knows this program would do it.
#[test]
fn a_worker_in_its_cell_does_not_reach_the_store() {
    let stage = Stage {
        runtime: "containment = \"sandbox\"",
        more: "[containment]\nread = [\"ROOT/worker.sh\", \"ROOT/workers\"]",
        ..OPEN
    };
    stage.refuses(&[Row {
        name: "store-written",
        why: "the store says what the worker wrote into it",
        worker: "echo notes > notes.txt; find / -xdev -name '*.db' -path '*.orchestrator*' 2>/dev/null > found.txt; find \"$instance/.orchestrator\" -name '*.db*' >> found.txt 2>/dev/null; test ! -s found.txt",
        seen: "It works",
        without: &["red-is-red"],
        ..LIAR
    }]);
}
