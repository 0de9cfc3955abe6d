//! The life of a task: from a saved file to the archive, and what can be seen of it on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::world::{World, section, section_of};

#[test]
fn a_saved_task_is_run_judged_and_archived_and_no_other_byte_moves() {
    let world = World::new();
    let before = "\u{feff}# Mine ✨\r\n\n| a | b |\n|---|---|\n\n## Active Tasks\n\n<!-- ### no: Task\n- **Status:** pending -->\n\n";
    let task = "### first: Write it  \n- **Status:** 🔴 pending (URGENT)\n- **Description:** Write done.txt.  <!-- so -->\n* odd bullet\n\n";
    let other = "### held: Not now\n* **Status:** paused\n- **Description:** x\n\n\n";
    let after = "## Archived Tasks\n\ntrailing prose, no newline";
    let _up = world.up();
    world.save(format!("{before}{task}{other}{after}"));
    world.until_archived("first");
    let text = world.queue();
    let moved = section_of(&text, "first").unwrap();
    assert!(moved.contains("- **Status:** completed\n"), "{text}");
    assert!(moved.contains("Write done.txt.  <!-- so -->\n"), "{text}");
    assert!(moved.contains("* odd bullet\n"), "{text}");
    // An empty line in the file's own line ending parts it from what is above.
    assert_eq!(text.replace(moved, ""), format!("{before}{other}{after}\r\n\r\n"));
    let held = world.task("held");
    assert_eq!((&held["state"], &held["attempt"]), (&"paused".into(), &0.into()));
    for line in [
        "🚀 [first] - spawning haiku agent",
        "✅ [first] - completed! Validation: ✓ functionality",
    ] {
        assert!(world.reports().contains(line), "{}", world.reports());
    }
}

/// The keys of an object.
fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The contract's keys are there; what is more was added on purpose.
fn assert_keys(value: &Value, contract: &str, added: &str) {
    let wanted: BTreeSet<&str> = contract
        .split_whitespace()
        .chain(added.split_whitespace())
        .collect();
    assert_eq!(keys(value), wanted);
}

#[test]
fn status_has_the_keys_and_words_of_the_contract() {
    let world = World::new();
    let up = world.up();
    world.save_tasks(&[
        &section("one", "- **Priority:** high\n- **Project:** p\n"),
        &section("two", "- **Priority:** urgent-ish\n"),
    ]);
    world.until_archived("one");
    let status = world.status();
    assert_keys(&status, "version generated_at service slots tasks problems", "");
    assert_eq!(status["version"], 1);
    assert_keys(&status["service"], "running pid since next_tick_at", "stopped");
    assert_eq!(status["service"]["running"], true);
    assert_eq!(status["service"]["pid"], up.pid());
    assert!(status["service"]["since"].is_string() && status["service"]["next_tick_at"].is_string());
    assert_eq!(status["slots"], serde_json::json!({ "used": 0, "total": 4 }));
    let problem = &status["problems"][0];
    assert_keys(problem, "file line column severity message", "code help");
    assert_eq!(problem["file"], "PROACTIVE-JOBS.md");
    let task = world.task("one");
    assert_keys(
        &task,
        "id title project state archived tier model runtime attempt priority progress_pct phase heartbeat_age_s session
         cost_usd blocked_reason waiting gate attempts created_at updated_at",
        "",
    );
    for (key, value) in [
        ("title", "Do one"),
        ("project", "p"),
        ("state", "completed"),
        ("tier", "haiku"),
        ("model", "model-h"),
        ("runtime", "script"),
        ("priority", "high"),
        ("session", "none"),
    ] {
        assert_eq!(task[key], value, "{key}");
    }
    assert_eq!((&task["archived"], &task["attempt"]), (&true.into(), &1.into()));
    assert_keys(&task["waiting"], "for on since until who", "why");
    assert_keys(&task["gate"], "verdict commit checks", "");
    assert_eq!(task["gate"]["verdict"], "passed");
    let check = task["gate"]["checks"].as_array().unwrap();
    let check = check.iter().find(|c| c["name"] == "work").unwrap();
    assert_keys(
        check,
        "name category verdict exit_code duration_s",
        "directory command",
    );
    assert_eq!(check["category"], "functionality");
    assert_eq!(
        (&check["verdict"], &check["exit_code"]),
        (&"passed".into(), &0.into())
    );
    assert_keys(
        &task["attempts"][0],
        "n tier outcome reason started_at ended_at",
        "runtime model cost_usd",
    );
    assert_eq!(task["attempts"][0]["outcome"], "done");
}

#[test]
fn a_worker_gets_what_the_contract_says_and_nothing_else() {
    let world = World::new();
    world.worker("probe", "env > env.txt; cat > prompt.txt; cp \"$ORCHESTRATOR_PROMPT_FILE\" file.txt; pwd > cwd.txt; touch done.txt");
    fs::write(world.root().join("agents/careful.md"), "You are careful.\n").unwrap();
    world.save_tasks(&[&section(
        "probe",
        "- **Agent:** careful\n- **Colour:** mauve\n\n#### Acceptance Criteria\n- [ ] it is probed\n\n",
    )
    .replace("- **Status:** pending\n", "")]);
    let ran = super::world::finished(world.command(&["tick", "--wait"]).env("SECRET_OF_MINE", "x"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(world.task("probe")["state"], "completed");
    let dir = world.state_dir().join("workspaces/probe");
    let branch = world.git(&branch_home(&world), &["show", "orchestrator/probe:env.txt"]);
    assert!(!dir.exists() || dir.is_dir());
    let env: BTreeMap<&str, &str> = branch.lines().filter_map(|l| l.split_once('=')).collect();
    for name in [
        "TASK_ID",
        "ATTEMPT",
        "TIER",
        "MODEL",
        "WORKSPACE",
        "PROMPT_FILE",
        "HEARTBEAT_FILE",
        "PROGRESS_FILE",
        "OUTCOME_FILE",
        "TOKEN",
    ] {
        let name = format!("ORCHESTRATOR_{name}");
        assert!(env.contains_key(name.as_str()), "{name} is missing");
    }
    assert_eq!(env["ORCHESTRATOR_TASK_ID"], "probe");
    assert_eq!(
        (env["ORCHESTRATOR_TIER"], env["ORCHESTRATOR_MODEL"]),
        ("haiku", "model-h")
    );
    assert!(env.contains_key("PATH") && env.contains_key("HOME"));
    assert!(
        !env.contains_key("SECRET_OF_MINE") && !env.contains_key("USER"),
        "{env:?}"
    );
    let prompt = world.git(&branch_home(&world), &["show", "orchestrator/probe:prompt.txt"]);
    assert_eq!(
        prompt,
        world.git(&branch_home(&world), &["show", "orchestrator/probe:file.txt"])
    );
    for words in [
        "You are careful.",
        "# Task probe",
        "Do it.",
        "mauve",
        "it is probed",
    ] {
        assert!(prompt.contains(words), "{words} is missing in:\n{prompt}");
    }
}

/// The repository that holds the branches of tasks without a workspace.
fn branch_home(world: &World) -> std::path::PathBuf {
    let found = world.state_dir().join("workspaces/probe");
    if found.join(".git").exists() {
        return found;
    }
    panic!(
        "no repository: {:?}",
        fs::read_dir(world.state_dir()).unwrap().collect::<Vec<_>>()
    );
}

#[test]
fn heartbeat_and_progress_files_are_kept_by_both_sides() {
    let world = World::new();
    world.worker(
        "beats",
        "orchestrator agent heartbeat --pct 45 --phase 'writing tests' && orchestrator agent log 'wrote the first half'
         touch ../../beaten; while [ ! -e \"$home/go\" ]; do read -r _ < /dev/null; orchestrator agent heartbeat; done
         touch done.txt",
    );
    let _up = world.up();
    world.save_tasks(&[&section("beats", "")]);
    let file = world.root().join("heartbeats/beats.json");
    let beat = world.until("a heartbeat of both sides", || {
        let beat: Value = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
        (beat["currentPhase"] == "writing tests" && beat["status"] == "running").then_some(beat)
    });
    for (key, value) in [
        ("taskId", Value::from("beats")),
        ("attempt", 1.into()),
        ("model", "model-h".into()),
        ("tier", "haiku".into()),
        ("progressPct", 45.into()),
        ("escalationCount", 0.into()),
    ] {
        assert_eq!(beat[key], value, "{key} in {beat:#}");
    }
    for key in [
        "agentSessionKey",
        "startedAt",
        "lastHeartbeat",
        "pid",
        "node",
        "modelHistory",
    ] {
        assert!(!beat[key].is_null(), "{key} in {beat:#}");
    }
    assert_eq!(beat["modelHistory"][0]["result"], "running");
    let shown = world.until_task("beats", "progress shows", |t| t["progress_pct"] == 45);
    assert_eq!(
        (&shown["phase"], &shown["session"]),
        (&"writing tests".into(), &"alive".into())
    );
    assert!(shown["heartbeat_age_s"].as_f64().unwrap() < 30.0);
    assert_eq!(world.field("beats", "Status").as_deref(), Some("in-progress"));
    fs::write(world.root().join("go"), "").unwrap();
    world.until_archived("beats");
    world.until("its heartbeat file is put away", || {
        (!file.exists()).then_some(())
    });
    let progress = fs::read_to_string(world.root().join("progress/beats.md")).unwrap();
    for words in [
        "## Work Log",
        "wrote the first half",
        "## Files Changed",
        "- done.txt",
        "## Dependencies Discovered",
        "## Open Questions / Blockers",
        "## Tests / Verification Done",
        "functionality: 1 of 1 checks passed",
    ] {
        assert!(progress.contains(words), "{words} is missing in:\n{progress}");
    }
}

#[test]
fn what_happened_is_told_by_show_why_logs_plan_and_lint() {
    let world = World::new();
    world.worker("tale", "echo 'hello from the worker'; touch done.txt");
    world.save_tasks(&[
        &section("tale", ""),
        &section("later", "- **Depends On:** tale\n"),
        &section("odd", "").replace("pending", "perhaps"),
    ]);
    let plan = world.done(&["plan", "--json"]).json();
    let step = |id: &str| {
        let steps = plan["steps"].as_array().unwrap().iter();
        steps
            .filter(|s| s["id"] == id)
            .map(|s| s["action"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(step("tale").contains(&"start".to_owned()), "{plan:#}");
    assert!(step("later").contains(&"wait".to_owned()), "{plan:#}");
    for task in world.status()["tasks"].as_array().unwrap() {
        assert_eq!(
            (&task["state"], &task["attempt"]),
            (&"pending".into(), &0.into()),
            "a plan does nothing"
        );
    }

    let lint = world.run(&["lint", "--json"]);
    assert_eq!(lint.code, 2, "{lint:?}");
    let lint = lint.json();
    assert_eq!(lint["version"], 1);
    assert_eq!(lint["files"][0]["file"], "PROACTIVE-JOBS.md");
    let tale = &lint["files"][0]["tasks"][0];
    assert_keys(tale, "id title line status section", "");
    assert_eq!(
        (&tale["line"], &tale["section"]),
        (&5.into(), &"Active Tasks".into())
    );
    let problem = &lint["problems"][0];
    assert_keys(problem, "file line column severity code message help", "");
    assert_eq!(
        (&problem["severity"], &problem["line"]),
        (&"error".into(), &16.into()),
        "{problem}"
    );

    world.done(&["tick", "--wait"]);
    let show = world.done(&["show", "tale", "--json"]).json();
    let kinds: Vec<&str> = show["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.first(), Some(&"admitted"), "{kinds:?}");
    for kind in ["eligible", "assessed", "claimed", "started"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    let states: Vec<&str> = show["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["to"].as_str().unwrap())
        .collect();
    assert_eq!(states.last(), Some(&"completed"));
    assert!(show["task"]["gate"]["checks"][0]["output_tail"].is_string());
    assert!(
        world
            .done(&["logs", "tale"])
            .out
            .contains("hello from the worker")
    );
    assert_eq!(
        world.done(&["logs", "tale", "--raw"]).out,
        "hello from the worker\n"
    );
    assert_eq!(
        world.done(&["why", "later", "--json"]).json()["state"],
        "completed"
    );
    let odd = world.status();
    assert!(
        odd["tasks"].as_array().unwrap().iter().all(|t| t["id"] != "odd"),
        "it waits"
    );
    for verb in ["show", "why", "logs", "validate", "pause", "retry"] {
        let ran = world.run(&[verb, "nobody"]);
        assert_eq!(ran.code, 3, "{verb}: {ran:?}");
        assert!(
            ran.err.starts_with("error: ") && ran.err.contains("help: "),
            "{ran:?}"
        );
    }
}

#[test]
fn a_task_in_a_repository_works_on_its_branch_and_leaves_the_rest_alone() {
    let world = World::new();
    let files = BTreeMap::from([("a.txt", "a\n")]);
    let repo = world.repository("repo", &files);
    fs::write(repo.join("mine.txt"), "uncommitted\n").unwrap();
    world.worker("patch", "echo b > b.txt; touch done.txt; git add b.txt; git -c user.name=w -c user.email=w@example.org commit --quiet --message=b");
    world.save_tasks(&[&section("patch", "- **Workspace:** ../repo\n")]);
    world.done(&["tick", "--wait"]);
    assert_eq!(world.outcomes("patch"), ["haiku:done"]);
    assert_eq!(world.git(&repo, &["show", "orchestrator/patch:b.txt"]), "b\n");
    assert_eq!(world.git(&repo, &["branch", "--show-current"]), "main\n");
    assert_eq!(world.git(&repo, &["status", "--porcelain"]), "?? mine.txt\n");
    assert_eq!(
        world.git(&repo, &["worktree", "list"]).lines().count(),
        1,
        "its checkout is put away"
    );
}
