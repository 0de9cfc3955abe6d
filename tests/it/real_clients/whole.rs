//! The whole way with a real client: a queue file, the service, the client, a real repository, the gate.
//!
//! Nothing here says how the clients are contained, so each runs in a cell, as it does by default.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use orchestrator::scripted_model::{Fault, Recorded, Scenario, Script, Server, Step};
use serde_json::{Value, json};

use crate::main_job::world::{World, queue, signal};

/// The lines of a client's `[runtimes.real]`, given the address of its model; `None` where there is no client.
pub type Lines = fn(&str) -> Option<String>;

const TASK: &str = "\
### fix-add: Make the calculator add
- **Workspace:** ../calc
- **Description:** `add` in calc.sh is wrong.
- **Status:** pending

#### Validation
Tests:
```bash
sh test.sh
```
";
pub(super) const LOG: &str = "echo x >> note; orchestrator agent log Repaired add.";
pub const QUESTION: &str = "May one add zero?";
/// Who it is in there; a commit, which it was told not to make; and a look at what is nobody's business.
const LOOK: &str = "id -u > uid.txt; git commit -qam own 2>/dev/null && echo yes > broken.txt; cat SECRET > broken.txt 2>/dev/null || rm broken.txt";
/// Code that a repository brings along.
const HOOK: &str = r#"{"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "touch hooked.txt"}]}],
    "PreToolUse": [{"matcher": "*", "hooks": [{"type": "command", "command": "touch hooked.txt"}]}]}}"#;
pub(super) const FIX: &str = "echo ran >> ran.txt; printf 'add() { echo $(( $1 + $2 )); }\\n' > calc.sh";

async fn set(lines: Lines, scenario: Scenario) -> Option<(World, Server)> {
    instance(lines, Script::new().scenario(scenario.marked("# Task fix-add"))).await
}

/// An instance whose one tier runs the client on a repository with a failing test.
pub(super) async fn instance(lines: Lines, script: Script) -> Option<(World, Server)> {
    let model = Server::start(script).await.unwrap();
    let lines = lines(&model.base_url())?;
    let world = World::new();
    let files = [
        ("calc.sh", "add() { echo 5; }\n"),
        ("test.sh", ". ./calc.sh; [ \"$(add 2 2)\" = 4 ]\n"),
    ];
    fs::create_dir_all(world.path("calc/.claude")).unwrap();
    fs::write(world.path("calc/.claude/settings.json"), HOOK).unwrap();
    world.repository("calc", &BTreeMap::from(files));
    let config = format!(
        "[scheduler]\nmax_concurrent = 2\nprovider_wait = \"3s\"\n[policy]\nstart = \"lowest\"\ncontinuation_delay = \"50ms\"\nbackoff_initial = \"50ms\"\nkill_grace = \"300ms\"\n\
         [[tiers]]\nname = \"haiku\"\nmodel = \"claude-haiku-4-5\"\nruntimes = [\"real\"]\n[runtimes.real]\n{lines}"
    );
    fs::write(world.root().join("orchestrator.toml"), config).unwrap();
    world.save(queue(&[TASK]));
    Some((world, model))
}

fn attempts(task: &Value) -> Vec<&str> {
    let all = task["attempts"].as_array().into_iter().flatten();
    all.filter_map(|a| a["reason"].as_str()).collect()
}

/// In the cell: the model is reached, the tools work, those of the orchestrator among them and its words are taken in,
/// nothing of the repository's own runs, and nothing that is hidden is seen.
pub async fn a_task_goes_the_whole_way(lines: Lines) {
    let secret = std::path::absolute(file!()).unwrap();
    let look = LOOK.replace("SECRET", secret.to_str().unwrap());
    let scenario = Scenario::new("fix")
        .step(Step::shell(FIX))
        .step(Step::shell(&look))
        .step(Step::call(
            "mcp__orchestrator__log",
            json!({"text": "Repaired add."}),
        ))
        .step(Step::say("It adds now."));
    let Some((world, model)) = set(lines, scenario).await else {
        return;
    };
    let ran = world.done(&["tick", "--wait"]);
    let task = world.task("fix-add");
    assert_eq!(task["state"], "completed", "{task:#}\n{}", ran.out);
    assert_eq!(world.outcomes("fix-add"), ["haiku:done"]);
    let fixed = world.git(&world.path("calc"), &["show", "orchestrator/fix-add:calc.sh"]);
    assert!(fixed.contains("$1 + $2"), "{fixed}");
    let files = world.git(
        &world.path("calc"),
        &["ls-tree", "-r", "--name-only", "orchestrator/fix-add"],
    );
    let files: Vec<&str> = files.lines().collect();
    assert_eq!(
        files,
        [
            ".claude/settings.json",
            "calc.sh",
            "ran.txt",
            "test.sh",
            "uid.txt"
        ]
    );
    let uid = world.git(&world.path("calc"), &["show", "orchestrator/fix-add:uid.txt"]);
    assert_ne!(uid, "0\n");
    let progress = fs::read_to_string(world.root().join("progress/fix-add.md")).unwrap();
    assert_eq!(progress.matches("Repaired add.").count(), 1, "{progress}");
    let show = world.done(&["show", "fix-add", "--json"]).json();
    assert_eq!(
        show["task"]["attempts"][0]["containment"]["tier"], "sandbox",
        "{show:#}"
    );
    let told = model.requests()[0].body.to_string();
    assert!(told.contains("`git commit` and `git stash` fail"), "{told}");
}

/// `ask` is how the client's model asks [`QUESTION`], `end` how it ends its turn in these words: the question reaches a
/// person, its answer the same session.
///
/// Seen to fail, as the whole way, for each client without `Brief::mcp`, and for Codex, which clears its servers'
/// environment, without `env_vars`.
pub async fn a_question_reaches_a_person_and_its_answer_the_session(
    lines: Lines,
    ask: Step,
    end: fn(&str) -> Step,
) {
    let asks = Scenario::new("asks")
        .step(ask)
        .step(end("I have asked."))
        .step(Step::shell(&format!("{FIX}; {LOG}")))
        .step(end("It adds now."));
    let Some((world, model)) = set(lines, asks).await else {
        return;
    };
    world.run(&["tick", "--wait"]);
    let task = world.task("fix-add");
    assert_eq!(
        task["state"],
        "blocked",
        "{task:#}\n{:#?}",
        model.requests().last()
    );
    let why = world.done(&["why", "fix-add"]).out;
    assert!(why.contains(&format!("asks: {QUESTION}")), "{why}");
    world.done(&["answer", "fix-add", "Zero, too."]);
    let ran = world.done(&["tick", "--wait"]);
    let task = world.task("fix-add");
    assert_eq!(task["state"], "completed", "{task:#}\n{}", ran.out);
    assert_eq!(world.outcomes("fix-add"), ["haiku:blocked", "haiku:done"]);
    let told = model.requests().pop().unwrap().body.to_string();
    assert!(told.contains("Zero, too."), "{told}");
    assert!(told.contains("I have asked."), "not the same session: {told}");
}

/// The provider names a minute: its client would wait for it in the worker's slot.
/// `tells_when` is whether the client tells when its provider's limit ends; else the task comes back after a short pause.
pub async fn a_rate_limit_costs_no_attempt_and_holds_no_slot(lines: Lines, tells_when: bool) {
    let limited = Scenario::new("limited").step(Step::shell(FIX).after(Fault::rate_limited("60")));
    let Some((world, _model)) = set(lines, limited).await else {
        return;
    };
    let begun = Instant::now();
    let mut service = world.up();
    let task = world.until_task("fix-add", "it was refused", |task| {
        !attempts(task).is_empty() && (!tells_when || task["waiting"]["for"] == "quota")
    });
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "the worker kept its slot"
    );
    assert_eq!(task["attempts"].as_array().unwrap().len(), 1, "{task:#}");
    assert_eq!(task["tier"], "haiku", "it is not the tier's failure");
    assert!(!tells_when || task["waiting"]["until"].is_string(), "{task:#}");
    let told = attempts(&task)[0];
    assert!(told.contains("429") || told.contains("rate_limit"), "{task:#}");
    service.end();
}

pub async fn a_killed_worker_of_a_killed_service_goes_on_in_its_session(lines: Lines) {
    // Some clients close the broken turn by one of their own, so the script may be a step on when they go on.
    let silent = Scenario::new("silent")
        .step(Step::shell(FIX))
        .step(Step::shell(LOG).after(Fault::hang().first(1)))
        .step(Step::shell(LOG))
        .step(Step::say("It adds now."));
    let Some((world, model)) = set(lines, silent).await else {
        return;
    };
    let mut service = world.up();
    // Some clients ask for more than the next turn, so what counts is that the first is told of.
    let silent = |request: &Recorded| request.body.to_string().contains("ran.txt");
    world.until("the silent request", || {
        model.requests().iter().any(silent).then_some(())
    });
    assert!(!workers(&world).is_empty(), "it is seen while it runs");
    world.until_task("fix-add", "it runs", |task| task["state"] == "in-progress");
    service.kill();
    signal(worker(&world), nix::sys::signal::Signal::SIGKILL);
    world.until("nobody of it is left", || {
        workers(&world).is_empty().then_some(())
    });
    let ran = world.done(&["tick", "--wait"]);
    let task = world.task("fix-add");
    assert_eq!(task["state"], "completed", "{task:#}\n{}", ran.out);
    assert_eq!(attempts(&task).len(), 2, "{task:#}");
    let marks = world.git(&world.path("calc"), &["show", "orchestrator/fix-add:ran.txt"]);
    assert_eq!(marks, "ran\n", "the second worker knew what the first had done");
}

/// Whoever has the task's workspace in its environment: the client and all that it started, in the cell or not.
fn workers(world: &World) -> Vec<String> {
    let wanted = format!("ORCHESTRATOR_WORKSPACE={}", world.state_dir().display());
    let all = fs::read_dir("/proc").unwrap().flatten();
    let named = all.map(|entry| entry.path().join("environ"));
    let is_one =
        |path: &PathBuf| fs::read(path).is_ok_and(|env| String::from_utf8_lossy(&env).contains(&wanted));
    named
        .filter(is_one)
        .map(|path| path.display().to_string())
        .collect()
}

/// The process of the one attempt that runs.
fn worker(world: &World) -> u32 {
    let path: PathBuf = world.state_dir().join("attempts/fix-add/1/supervisor.json");
    let text = world.until("the worker is registered", || fs::read_to_string(&path).ok());
    let registration: Value = serde_json::from_str(&text).unwrap();
    u32::try_from(registration["worker"]["pid"].as_u64().unwrap()).unwrap()
}
