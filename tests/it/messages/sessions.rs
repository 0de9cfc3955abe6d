//! Sessions: kept over attempts, over kills, and never trusted.

use orchestrator::runtime::process::Status;
use std::time::Duration;

use nix::sys::signal::{Signal as Unix, kill};
use nix::unistd::Pid;
use orchestrator::domain::outcome::EndKind;
use orchestrator::scripted_model::{Fault, Scenario, Script, Step};
use serde_json::json;

use super::rig::{Rig, Run};

fn note(text: &str) -> Step {
    Step::call("bash", json!({"command": format!("echo {text} >> log")}))
}

fn word(outcome: &str) -> Step {
    Step::call("finish", json!({"outcome": outcome, "reason": "r"}))
}

fn resumed(run: &Run) -> bool {
    run.of("init")[0]["resumed"] == true
}

#[tokio::test]
async fn a_later_attempt_goes_on_in_the_session() {
    let scenario = Scenario::new("two attempts")
        .step(note("one"))
        .step(word("continue"))
        .step(note("two"))
        .step(word("done"));
    let mut rig = Rig::new(Script::new().scenario(scenario)).await;
    let first = rig.run().await;
    assert_eq!(first.ending.kind, EndKind::Continue);
    rig.brief.session = first.account.session.clone();
    rig.brief.attempt_dir = rig.path("state/fix-calc/2");
    rig.brief.prompt = "Go on, please.".to_owned();
    let second = rig.run().await;
    assert!(resumed(&second) && !resumed(&first));
    assert_eq!(second.ending.kind, EndKind::Claimed);
    assert_eq!(second.account.session, first.account.session);
    assert_eq!(rig.in_workspace("log"), "one\ntwo\n");
    assert_eq!(
        second.account.spent.input_tokens,
        Some(200),
        "the account is of this attempt alone"
    );
    let last = &rig.server.requests()[2].body["messages"];
    let prompt = last.as_array().unwrap().last().unwrap();
    assert_eq!(prompt["content"][0]["type"], "tool_result");
    assert_eq!(prompt["content"][1]["text"], "Go on, please.");
}

#[tokio::test]
async fn a_worker_killed_in_a_hung_call_is_resumed_where_it_was() {
    let scenario = Scenario::new("stuck")
        .step(note("one"))
        .step(word("done").after(Fault::hang().first(1)));
    let mut rig = Rig::new(Script::new().scenario(scenario)).await;
    let child = rig.start().await;
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while rig.server.requests().len() < 2 {
        assert!(
            std::time::Instant::now() < deadline,
            "the worker never came to the hung call"
        );
        tokio::task::yield_now().await;
    }
    kill(
        Pid::from_raw(child.id().unwrap().try_into().unwrap()),
        Unix::SIGKILL,
    )
    .unwrap();
    let killed = rig.finish(child).await;
    assert_eq!(killed.ending.kind, EndKind::Interrupted);
    assert_eq!(killed.exit.status, Some(Status::Signal(9)));
    assert_eq!(
        killed.account.spent.input_tokens,
        Some(100),
        "what it used is known"
    );
    rig.brief.session = killed.account.session;
    rig.brief.attempt_dir = rig.path("state/fix-calc/2");
    let second = rig.run().await;
    assert!(resumed(&second));
    assert_eq!(second.ending.kind, EndKind::Claimed);
    assert_eq!(
        rig.in_workspace("log"),
        "one\n",
        "the first step is not done again"
    );
}

#[tokio::test]
async fn a_session_that_is_torn_gone_or_hostile_gives_a_fresh_one() {
    let mut rig = Rig::new(Script::new().scenario(Scenario::new("x").step(word("done")))).await;
    let first = rig.run().await.account.session.unwrap();
    let file = rig.path("state/fix-calc/sessions").join(format!("{first}.json"));
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 9]).unwrap();
    for session in [
        first,
        "00000000-0000-4000-8000-000000000000".to_owned(),
        "../../../etc/passwd".to_owned(),
    ] {
        rig.brief.session = Some(session.clone());
        let run = rig.run().await;
        assert_eq!(run.ending.kind, EndKind::Claimed);
        assert!(!resumed(&run));
        assert_ne!(run.account.session.as_deref(), Some(session.as_str()));
        assert!(
            run.of("notice")[0]["text"]
                .as_str()
                .unwrap()
                .contains("a fresh one begins")
        );
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_saved_does_not_stop_the_work() {
    let rig = Rig::new(Script::new().scenario(Scenario::new("x").step(note("one")).step(word("done")))).await;
    std::fs::create_dir_all(rig.path("state/fix-calc")).unwrap();
    std::fs::write(
        rig.path("state/fix-calc/sessions"),
        "a file where a folder should be",
    )
    .unwrap();
    let run = rig.run().await;
    assert_eq!(run.ending.kind, EndKind::Claimed);
    assert!(
        run.of("notice")[0]["text"]
            .as_str()
            .unwrap()
            .contains("cannot be saved")
    );
}

#[tokio::test]
async fn parallel_sessions_of_one_script_do_not_disturb_each_other() {
    let scenario = Scenario::new("x")
        .step(note("one"))
        .step(note("two"))
        .step(word("done"));
    let rig = Rig::new(Script::new().scenario(scenario)).await;
    let runs = futures_util::future::join_all((0..6).map(|_| rig.run())).await;
    assert!(
        runs.iter()
            .all(|run| run.ending.kind == EndKind::Claimed && run.results().len() == 3)
    );
    assert_eq!(rig.in_workspace("log").lines().count(), 12);
}
