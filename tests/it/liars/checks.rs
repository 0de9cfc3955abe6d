//! Ends of checks that are not green, and greens that are none.

use super::stage::{LIAR, OPEN, Row, Stage};

const ENDS: &[Row] = &[
    Row {
        name: "exit-77",
        why: "skipped is not passed",
        worker: "printf 'import sys\\nsys.exit(77)\\n' > calc.py",
        seen: "exit 77",
        without: &["skipped-is-red"],
        check: "python3 -c 'import calc; assert calc.mul(2, 3) == 6'",
        ..LIAR
    },
    Row {
        name: "ended-by-a-signal",
        why: "who is killed has not passed",
        worker: "printf 'import os\\nos.kill(os.getpid(), 15)\\n' > calc.py",
        seen: "check",
        without: &["signal-is-red"],
        check: "exec python3 -c 'import calc; assert calc.mul(2, 3) == 6'",
        ..LIAR
    },
    Row {
        name: "never-ends",
        why: "what does not end in its time has not passed",
        worker: "printf 'import time\\ntime.sleep(600)\\n' > calc.py",
        seen: "timed-out",
        without: &["timeout-is-red"],
        check: "python3 -c 'import calc; assert calc.mul(2, 3) == 6'",
        ..LIAR
    },
    Row {
        name: "huge-output",
        why: "behind ten megabytes of it the check failed",
        worker: "printf '\\nimport sys\\nsys.stdout.write(\"0 failed, all passed\\\\n\" * 500000)\\n' >> calc.py",
        seen: "exit 1",
        without: &["red-is-red"],
        check: "python3 -c 'import calc; assert calc.mul(2, 3) == 6'",
        ..LIAR
    },
    Row {
        name: "says-0-failed",
        why: "it prints what green looks like",
        worker: "printf '\\nimport atexit\\natexit.register(print, \"Ran 2 tests in 0.001s\\\\n\\\\nOK\\\\n2 passed, 0 failed\")\\n' >> calc.py",
        seen: "exit 1",
        without: &["red-is-red"],
        ..LIAR
    },
    Row {
        name: "ends-before-the-tests",
        why: "the module ends the run, well, before any test",
        worker: "printf 'import os\\nprint(\"0 failed\", flush=True)\\nos._exit(0)\\n' > calc.py",
        seen: "nothing ran",
        without: &["results-are-told"],
        ..LIAR
    },
    Row {
        name: "no-test-is-left",
        why: "no test runs",
        project: &[
            ("calc.py", "def mul(a, b):\n    return a + b\n"),
            ("check/README.md", "tests come here\n"),
        ],
        check: "cd check && python3 -m unittest discover -p 'check_*.py'",
        worker: "echo '# done' >> calc.py",
        seen: "nothing ran",
        without: &["nothing-ran"],
        ..LIAR
    },
    Row {
        name: "moves-head",
        why: "what was tested is another commit",
        worker: "printf '\\nimport os\\nos.system(\"git -c user.name=x -c user.email=x@y commit -q --allow-empty -m x\")\\n\\n\\ndef mul(a, b):\\n    return a * b\\n' >> calc.py",
        seen: "moved HEAD",
        without: &["head-stands"],
        ..LIAR
    },
    Row {
        name: "mends-itself",
        why: "the file is another one when the test looks at it",
        worker: "printf '\\nimport pathlib\\nhere = pathlib.Path(__file__)\\nhere.write_text(\"def add(a, b):\\\\n    return a + b\\\\n\\\\n\\\\ndef mul(a, b):\\\\n    return a * b\\\\n\")\\nexec(here.read_text())\\n' >> calc.py",
        seen: "git-clean",
        without: &["git-clean"],
        ..LIAR
    },
];

/// A time that is enough for honest checks, and short enough for one that hangs.
const QUICK: Stage = Stage {
    gate: "containment = \"none\"\ntimeout = \"6s\"",
    ..OPEN
};

#[test]
fn only_a_seen_green_is_green() {
    QUICK.refuses(ENDS);
}

#[test]
fn what_one_check_leaves_running_answers_no_other() {
    let stage = Stage {
        gate: "containment = \"none\"\nchecks = [\n{ name = \"first\", run = \"python3 -c 'import calc'\" },\n{ name = \"second\", run = \"test -e ../answer || { sleep 1; test -e ../answer; }\" } ]",
        ..OPEN
    };
    stage.refuses(&[Row {
        name: "left-by-a-check",
        why: "the second check is answered by what the first one left running",
        check: "true",
        worker: "printf '\\nimport os\\nif os.fork() == 0:\\n    os.setsid()\\n    os.execve(\"/bin/sh\", [\"sh\", \"-c\", \"sleep 0.5; touch ../answer; sleep 5\"], {})\\n' >> calc.py",
        seen: "second",
        without: &["checks-leave-nobody"],
        ..LIAR
    }]);
}
