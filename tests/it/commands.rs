//! The commands as people and scripts use them: what they answer before, beside and without a service.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// An instance whose only worker is a script of the test's own.
struct Instance {
    dir: tempfile::TempDir,
}

impl Instance {
    fn new(worker: &str, queue: &str) -> Self {
        let instance = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        assert_eq!(code(&instance.run(&["init"])), 0);
        let tiers = ["haiku", "sonnet"].map(|name| {
            format!("[[tiers]]\nname = \"{name}\"\nmodel = \"m-{name}\"\nruntimes = [\"work\"]\n")
        });
        let config = format!(
            "{}[runtimes.work]\nkind = \"command\"\ncommand = [\"sh\", \"{}\"]\n[policy]\nbackoff_initial = \"10ms\"\n",
            tiers.concat(),
            instance.path().join("worker.sh").display()
        );
        instance.write("orchestrator.toml", &config);
        instance.write("worker.sh", worker);
        instance.write(
            "PROACTIVE-JOBS.md",
            &format!("# Proactive Jobs\n\n## Active Tasks\n\n{queue}\n## Archived Tasks\n"),
        );
        instance
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_orchestrator"))
            .args(args)
            .current_dir(self.path())
            .env_remove("ORCHESTRATOR_HOME")
            .output()
            .unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        let document: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{args:?}: {e}: {}", said(&output)));
        assert_eq!(document["version"], 1, "{args:?}");
        document
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

const TWO: &str = "### first: One\n- **Description:** do it\n- **Status:** ready\n\n\
                   ### second\n- **Description:** do it\n- **Depends On:** first\n- **Status:** done\n";

#[test]
fn what_stands_in_the_file_is_shown_before_any_pass() {
    let instance = Instance::new("exit 0", TWO);
    let status = instance.json(&["status"]);
    let states: Vec<(&str, &str)> = status["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| (t["id"].as_str().unwrap(), t["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("first", "pending"), ("second", "pending")]);
    let why = instance.json(&["why", "second"]);
    assert_eq!(why["waiting"]["for"], "dependency");
    assert_eq!(why["waiting"]["on"][0], "first");
    assert_eq!(instance.json(&["show", "first"])["description"], "do it");
    assert_eq!(code(&instance.run(&["show", "third"])), 3);
}

#[test]
fn a_section_that_no_pass_has_read_can_be_steered() {
    let instance = Instance::new("exit 0", TWO);
    let before = instance.read("PROACTIVE-JOBS.md");
    let paused = instance.run(&["pause", "first"]);
    assert_eq!(code(&paused), 0, "{}", said(&paused));
    let after = instance.read("PROACTIVE-JOBS.md");
    assert_eq!(
        after,
        before.replacen("ready", "paused", 1),
        "one value, and nothing else"
    );
    assert_eq!(instance.json(&["show", "first"])["task"]["state"], "paused");
}

#[test]
fn what_a_worker_wrote_is_shown_to_the_last_byte() {
    // More than one read of the transcript, and a last line without an end.
    let worker = "i=0; while [ $i -lt 4000 ]; do echo \"line $i of a long output of a worker\"; i=$((i+1)); done\n\
                  echo 'no such key' >&2; printf 'the  end'; exit 77";
    let instance = Instance::new(worker, "### loud\n- **Description:** do it\n");
    let ticked = instance.run(&["tick", "--wait"]);
    assert_eq!(code(&ticked), 0, "{}", said(&ticked));
    let logs = said(&instance.run(&["logs", "loud"]));
    assert!(
        logs.contains("line 3999 of")
            && logs.trim_end().lines().any(|l| l.contains("the  end"))
            && logs.contains("no such key")
    );
    let raw = said(&instance.run(&["logs", "loud", "--raw"]));
    assert!(raw.ends_with("line 3999 of a long output of a worker\nthe  end\n"));
    let lines = instance.json(&["logs", "loud"])["lines"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(lines, 4002);
}

#[test]
fn an_attempt_of_a_lost_store_does_not_speak_for_a_new_one() {
    let worker = "echo ran >> \"$ORCHESTRATOR_PROGRESS_FILE.runs\"; exit 77";
    let queue = "### again\n- **Description:** do it\n- **Status:** pending\n";
    let instance = Instance::new(worker, queue);
    let before = instance.read("PROACTIVE-JOBS.md");
    instance.run(&["tick", "--wait"]);
    for name in ["orchestrator.db", "orchestrator.db-wal", "orchestrator.db-shm"] {
        let _absent = std::fs::remove_file(instance.path().join(".orchestrator").join(name));
    }
    instance.write("PROACTIVE-JOBS.md", &before);
    instance.run(&["tick", "--wait"]);
    assert_eq!(instance.read("progress/again.md.runs"), "ran\nran\n");
}

#[test]
fn every_command_that_reads_has_a_document() {
    let instance = Instance::new("exit 0", TWO);
    let reads: &[&[&str]] = &[
        &["status"],
        &["plan"],
        &["doctor"],
        &["lint"],
        &["config", "show"],
        &["config", "path"],
        &["config", "check"],
        &["migrate"],
        &["migrate", "--plan"],
        &["migrate", "--check"],
    ];
    for args in reads {
        instance.json(args);
    }
    instance.write("orchestrator.toml", "[scheduler]\ncrom = 1\n");
    let wrong = instance.run(&["config", "check", "--json"]);
    assert_eq!(code(&wrong), 2);
    let document: Value = serde_json::from_slice(&wrong.stdout).unwrap();
    assert_eq!(document["problems"][0]["line"], 2);
}

#[test]
fn a_jobs_folder_that_cannot_be_read_is_a_mistake_with_its_place() {
    let instance = Instance::new("exit 0", TWO);
    std::fs::create_dir(instance.path().join("jobs/odd.md")).unwrap();
    let lint = instance.run(&["lint"]);
    assert_eq!(code(&lint), 2);
    assert!(said(&lint).contains("jobs/odd.md is a folder"), "{}", said(&lint));
    std::fs::remove_dir_all(instance.path().join("jobs")).unwrap();
    instance.write("jobs", "");
    let lint = instance.run(&["lint"]);
    assert_eq!(code(&lint), 2);
    assert!(said(&lint).contains("a folder is expected"), "{}", said(&lint));
}

#[test]
fn a_tick_without_a_readable_queue_says_so() {
    let instance = Instance::new("exit 0", TWO);
    std::fs::remove_file(instance.path().join("PROACTIVE-JOBS.md")).unwrap();
    let ticked = instance.run(&["tick"]);
    assert_eq!(code(&ticked), 2);
    assert!(
        said(&ticked).contains("PROACTIVE-JOBS.md does not exist"),
        "{}",
        said(&ticked)
    );
}

#[test]
fn a_gate_with_nothing_to_run_says_so() {
    let instance = Instance::new("exit 0", TWO);
    instance.run(&["pause", "first"]);
    let judged = instance.run(&["validate", "first"]);
    assert_eq!(code(&judged), 1);
    assert!(said(&judged).contains("no check to run"), "{}", said(&judged));
}

#[test]
fn a_heartbeat_names_who_works_and_where() {
    let worker = "orchestrator agent heartbeat --pct 45; until [ -n \"$(grep -s node \"$ORCHESTRATOR_HEARTBEAT_FILE\")\" ]; \
                  do sleep 0.05; done; cp \"$ORCHESTRATOR_HEARTBEAT_FILE\" \"$ORCHESTRATOR_PROGRESS_FILE.seen\"; exit 77";
    let instance = Instance::new(
        worker,
        "### beats\n- **Description:** do it\n- **Timeout:** 20s\n",
    );
    instance.run(&["tick", "--wait"]);
    let beat: Value = serde_json::from_str(&instance.read("progress/beats.md.seen")).unwrap();
    assert_eq!(beat["taskId"], "beats");
    assert_eq!(beat["progressPct"], 45);
    assert_eq!(beat["escalationCount"], 0);
    assert_eq!(beat["agentSessionKey"], "work:1");
    assert!(beat["pid"].as_u64().is_some_and(|pid| pid > 1), "{beat}");
}

#[test]
fn a_fresh_instance_has_no_tasks_and_no_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let instance = Instance { dir };
    assert_eq!(code(&instance.run(&["init"])), 0);
    assert_eq!(code(&instance.run(&["lint"])), 0);
    assert_eq!(instance.json(&["status"])["tasks"].as_array().unwrap().len(), 0);
    let before = instance.read("PROACTIVE-JOBS.md");
    assert_eq!(
        code(&instance.run(&["add", "hello", "Say hello", "--check", "true"])),
        0
    );
    let after = instance.read("PROACTIVE-JOBS.md");
    assert!(after.find("### hello").unwrap() < after.find("## Archived Tasks\n\n<!--").unwrap());
    assert!(after.starts_with(before[..before.find("## Archived Tasks\n\n<!--").unwrap()].trim_end()));
    assert_eq!(code(&instance.run(&["init"])), 0);
    assert_eq!(
        instance.read("PROACTIVE-JOBS.md"),
        after,
        "init overwrites nothing"
    );
}
