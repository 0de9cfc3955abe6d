//! What is told in the demo: the tasks, the configuration, and every word of the scripted model.

use serde_json::{Value, json};

use crate::scripted_model::{Fault, Scenario, Script, Step};

/// What the viewer is told first.
pub(super) const OPENING: &str = "\
orchestrator demo: no keys, no network.
  Real: the instance, its store, git worktrees, worker processes, heartbeats, kills, the gate and its checks.
  Scripted: the model. Three tasks on a small repository whose test fails:
    fix-add     the first tier's patch only looks right, so the gate refuses it; the second tier's is right
    use-add     waits for fix-add
    count-lines its first worker goes silent, is killed as stuck and resumed
";

/// The queue.
pub(super) const QUEUE: &str = "\
# Proactive Jobs

## Active Tasks

### fix-add: Make the calculator add
- **Priority:** high
- **Project:** demo
- **Workspace:** calc
- **Description:** `add` in calc.sh is wrong; test.sh shows it.
- **Status:** pending

#### Validation

Build: it is a shell script
```bash
sh -n calc.sh
```

Tests:
```bash
sh test.sh
```

### use-add: Say how to add
- **Project:** demo
- **Workspace:** calc
- **Depends On:** fix-add
- **Description:** Write README.md with an example that works.
- **Status:** pending

#### Validation

The example works:
```bash
grep -q 'add 2 3' README.md
. ./calc.sh && [ \"$(add 2 3)\" = 5 ]
```

### count-lines: Count the lines of a file
- **Project:** demo
- **Workspace:** calc
- **Description:** Write count.sh, which prints the number of lines of the file that it is given.
- **Status:** pending

#### Validation

It counts:
```bash
[ \"$(sh count.sh test.sh)\" = \"$(grep -c '' test.sh)\" ]
```

## Archived Tasks
";

/// Short times, so that nobody has to wait.
pub(super) fn configuration(base_url: &str) -> String {
    format!(
        r#"
[scheduler]
max_concurrent = 2
heartbeat_stale_after = "3s"

[policy]
start = "lowest"
continuation_delay = "200ms"
backoff_initial = "200ms"
kill_grace = "1s"

[[tiers]]
name = "haiku"
model = "scripted-haiku"
runtimes = ["scripted"]

[[tiers]]
name = "sonnet"
model = "scripted-sonnet"
runtimes = ["scripted"]

[runtimes.scripted]
kind = "messages"
base_url = "{base_url}"
api_key = "scripted"
containment = "none"
"#
    )
}

/// Every word of the model.
pub(super) fn script() -> Script {
    Script::new()
        .scenario(
            Scenario::new("fix-add, first tier: a patch that only looks right")
                .marked("# Task fix-add")
                .for_model("haiku")
                .step(shell("sh test.sh"))
                .step(write("calc.sh", "add() { echo 5; }\n"))
                .step(log("Made add give 5, as the test wants."))
                .step(done("add 2 3 is 5 now")),
        )
        .scenario(
            Scenario::new("fix-add, second tier: the right patch")
                .marked("# Task fix-add")
                .for_model("sonnet")
                .step(shell("cat calc.sh; sh test.sh"))
                .step(write("calc.sh", "add() { echo $(( $1 + $2 )); }\n"))
                .step(log(
                    "The first attempt hard-coded one answer; add really adds now.",
                ))
                .step(done("both cases of test.sh pass")),
        )
        .scenario(
            Scenario::new("use-add: a README")
                .marked("# Task use-add")
                .step(write(
                    "README.md",
                    "# calc\n\n    . ./calc.sh\n    add 2 3    # prints 5\n",
                ))
                .step(log("Wrote README.md with an example."))
                .step(done("the example is the one of the test")),
        )
        .scenario(
            Scenario::new("count-lines: silent at first, then at work")
                .marked("# Task count-lines")
                .step(write("count.sh", "grep -c '' \"$1\"\n").after(Fault::hang().first(1)))
                .step(log("Wrote count.sh."))
                .step(done("it counts")),
        )
}

fn shell(command: &str) -> Step {
    Step::call("bash", json!({ "command": command }))
}

fn write(path: &str, text: &str) -> Step {
    Step::call(
        "edit",
        json!({ "command": "create", "path": path, "file_text": text }),
    )
}

fn log(text: &str) -> Step {
    Step::call("progress", json!({ "text": text }))
}

fn done(reason: &str) -> Step {
    let input: Value = json!({ "outcome": "done", "reason": reason });
    Step::call("finish", input)
}
