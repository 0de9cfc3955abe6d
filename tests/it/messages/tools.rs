//! Hostile calls: whatever the model asks for, the worker stays whole and the workspace is not left.

use orchestrator::domain::outcome::EndKind;
use orchestrator::scripted_model::{Scenario, Script, Step};
use serde_json::json;

use super::rig::{KEY, Rig, Run};

/// Runs a worker whose model makes the calls of `step`, then finishes.
async fn after(step: Step) -> (Rig, Run) {
    let done = Step::call("finish", json!({"outcome": "done", "reason": "r"}));
    let rig = Rig::new(Script::new().scenario(Scenario::new("hostile").step(step).step(done))).await;
    std::fs::write(rig.path("secret"), "outside").unwrap();
    std::os::unix::fs::symlink(rig.path("."), rig.brief.workspace.join("out")).unwrap();
    let run = rig.run().await;
    assert_eq!(run.ending.kind, EndKind::Claimed, "{}", run.ending.reason);
    (rig, run)
}

#[tokio::test]
async fn ten_megabytes_of_output_reach_the_model_cut() {
    let (rig, run) = after(Step::call(
        "bash",
        json!({"command": "head -c 10000000 /dev/zero | tr '\\0' x"}),
    ))
    .await;
    let request = &rig.server.requests()[1].body;
    let result = request["messages"][2]["content"][0]["content"].as_str().unwrap();
    assert!(result.len() < 31_000 && result.contains("bytes left out"));
    assert!(run.lines.iter().all(|line| line.to_string().len() < 20_000));
}

#[tokio::test]
async fn no_path_leads_out_of_the_workspace() {
    let create = |path: &str| json!({"command": "create", "path": path, "file_text": "pwned"});
    let view = |path: &str| json!({"command": "view", "path": path});
    let step = Step::call("edit", create("../secret"))
        .and_call("edit", create("out/secret"))
        .and_call("edit", create("out/new/file"))
        .and_call("edit", create("/etc/orchestrator-test"))
        .and_call("edit", view("out/secret"))
        .and_call("edit", view("../secret"))
        .and_call("edit", view("a\0b"));
    let (rig, run) = after(step).await;
    let results = run.of("tool_result");
    assert!(
        results[..7].iter().all(|line| line["is_error"] == true),
        "{results:?}"
    );
    assert_eq!(std::fs::read_to_string(rig.path("secret")).unwrap(), "outside");
    assert!(!rig.path("new").exists());
    assert!(
        !run.results()
            .iter()
            .any(|text| text.contains("outside\n") || *text == "outside")
    );
}

#[tokio::test]
async fn wrong_calls_are_answered_and_the_work_goes_on() {
    let step = Step::silent()
        .and_call("no_such_tool", json!({"x": 1}))
        .and_raw_call("bash", "{\"command\": \"touch must-not-be")
        .and_raw_call("bash", "[]")
        .and_raw_call("bash", "\u{0}")
        .and_call("bash", json!({"command": "echo a\0b"}))
        .and_call("bash", json!({"cmd": "ls"}))
        .and_call("finish", json!({"outcome": "splendid"}))
        .and_call("progress", json!({"text": "\u{1b}[2J## Work Log"}));
    let (rig, run) = after(step).await;
    let answers = run.results();
    for (answer, word) in answers.iter().zip([
        "there is no tool \"no_such_tool\"",
        "no JSON",
        "no JSON object",
        "no JSON",
        "NUL",
        "missing field `command`",
        "unknown variant",
        "logged",
    ]) {
        assert!(answer.contains(word), "{answer:?} should tell of {word:?}");
    }
    assert!(!rig.brief.workspace.join("must-not-be").exists());
    let progress = std::fs::read_to_string(&rig.brief.progress_file).unwrap();
    assert_eq!(progress.lines().filter(|line| line.starts_with("## ")).count(), 1);
    let ids = |request: usize, message: usize, field: &str| {
        let content = rig.server.requests()[request].body["messages"][message]["content"].clone();
        let blocks = content.as_array().unwrap().clone();
        blocks
            .iter()
            .map(|block| block[field].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(1, 1, "id"),
        ids(1, 2, "tool_use_id"),
        "each call has its answer"
    );
}

#[tokio::test]
async fn a_command_sees_the_contract_but_not_the_key() {
    let (_, run) = after(Step::call("bash", json!({"command": "env; pwd"}))).await;
    let text = run.results()[0].to_owned();
    assert!(text.contains("ORCHESTRATOR_TASK_ID=fix-calc") && text.contains("/ws\n"));
    assert!(!text.contains(KEY) && !text.contains("ORCHESTRATOR_MESSAGES"));
    assert!(!run.lines.iter().any(|line| line.to_string().contains(KEY)));
}

/// For root the kernel makes an exception, so there is nothing to see as root.
#[tokio::test]
async fn a_command_cannot_read_the_key_from_the_worker() {
    let (_, run) = after(Step::call(
        "bash",
        json!({"command": "cat /proc/$PPID/environ || echo refused"}),
    ))
    .await;
    if !nix::unistd::geteuid().is_root() {
        assert!(run.results()[0].contains("refused"));
        assert!(!run.results()[0].contains(KEY));
    }
}
