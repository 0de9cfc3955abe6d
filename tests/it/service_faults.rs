//! The service's own faults: what is read late, taken over, stopped from outside or interrupted half-way.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// An instance with one task and one runtime.
struct Scene {
    root: TempDir,
}

impl Scene {
    fn new(kind: &str, program: &str, scheduler: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let worker = root.path().join("worker.sh");
        fs::write(&worker, format!("#!/bin/sh\n{program}")).unwrap();
        fs::set_permissions(&worker, fs::Permissions::from_mode(0o755)).unwrap();
        let how = match kind {
            "command" => format!("command = [{worker:?}]"),
            _ => format!("binary = {worker:?}"),
        };
        let config = format!(
            "[scheduler]\n{scheduler}\n[[tiers]]\nname = \"only\"\nmodel = \"m\"\nruntimes = [\"worker\"]\n\
             [runtimes.worker]\nkind = \"{kind}\"\n{how}\n"
        );
        fs::write(root.path().join("orchestrator.toml"), config).unwrap();
        let queue = "# Proactive Jobs\n\n## Active Tasks\n\n### one: The task\n- **Description:** do it\n\
                     - **Status:** pending\n\n## Archived Tasks\n";
        fs::write(root.path().join("PROACTIVE-JOBS.md"), queue).unwrap();
        Self { root }
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_orchestrator"))
            .args(args)
            .current_dir(self.root.path())
            .env_remove("ORCHESTRATOR_HOME")
            .output()
            .unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let out = self.run(args);
        assert!(out.status.success(), "{args:?}: {out:?}");
        String::from_utf8(out.stdout).unwrap()
    }

    fn task(&self) -> Value {
        let status: Value = serde_json::from_str(&self.ok(&["status", "--all", "--json"])).unwrap();
        status["tasks"][0].clone()
    }

    fn stdout_log(&self) -> Option<PathBuf> {
        find(&self.root.path().join(".orchestrator"), "stdout.log")
    }

    fn lines(&self) -> usize {
        let text = self.stdout_log().and_then(|p| fs::read_to_string(p).ok());
        text.map_or(0, |t| t.lines().count())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.run(&["stop", "--all"]);
        let _ = self.run(&["tick"]);
    }
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            find(&path, name)
        } else {
            path.ends_with(name).then_some(path)
        }
    })
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const TALKS: &str = "while :; do echo alive; sleep 0.1; done\n";

#[test]
fn a_result_far_behind_in_the_output_is_heard() {
    let program = r#"
case "$*" in *--version*) echo "2.1.0 (Claude Code)"; exit 0;; esac
cat > /dev/null
echo '{"type":"system","subtype":"init","session_id":"s-1","model":"m"}'
head -c 900 /dev/zero | tr '\0' x > pad
i=0
while [ $i -lt 400 ]; do
  printf '{"type":"assistant","session_id":"s-1","message":{"model":"m","content":[{"type":"text","text":"%s"}]}}\n' "$(cat pad)"
  i=$((i+1))
done
printf '{"type":"result","subtype":"error_max_turns","is_error":true,"session_id":"s-1","total_cost_usd":0.25}'
"#;
    let scene = Scene::new("claude-code", program, "lifetime_attempts = 1");
    scene.ok(&["tick", "--wait"]);
    let task = scene.task();
    assert_eq!(
        task["attempts"][0]["reason"], "it ended with error_max_turns",
        "{task:#}"
    );
    assert_eq!(task["cost_usd"], 0.25);
}

#[test]
fn a_worker_that_works_on_is_not_stuck_for_the_service_that_takes_it_over() {
    let scene = Scene::new("command", TALKS, "heartbeat_stale_after = \"1s\"");
    scene.ok(&["tick"]);
    let before = scene.lines();
    until("output for longer than the limit", || scene.lines() > before + 15);
    scene.ok(&["tick"]);
    let task = scene.task();
    assert_eq!(task["state"], "in-progress", "{task:#}");
    assert_eq!(task["attempt"], 1, "{task:#}");
}

#[test]
fn the_emergency_stop_ends_workers_also_when_no_service_runs() {
    let scene = Scene::new("command", TALKS, "");
    scene.ok(&["tick"]);
    until("the worker talks", || scene.lines() > 1);
    scene.ok(&["stop", "--all"]);
    let task = scene.task();
    assert_eq!(task["state"], "pending", "{task:#}");
    assert_eq!(task["attempts"][0]["outcome"], "killed", "{task:#}");
}
