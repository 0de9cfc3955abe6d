//! The Codex command line tool.

use std::path::PathBuf;

use orchestrator::domain::outcome::EndKind;
use orchestrator::runtime::codex::{Codex, Options, RECORDED_FROM, SandboxMode};
use orchestrator::runtime::{Runtime, Signal};
use orchestrator::scripted_model::{Fault, Scenario, Script, Server, Step};
use serde_json::json;

use super::{client, whole};
use crate::runtime_contract::stage::{Stage, Wanted, until};

const KEY: &str = "sk-scripted";

async fn rig(scenario: Scenario) -> Option<(Stage, Server, Codex)> {
    let binary = client("codex")?;
    let model = Server::start(Script::new().scenario(scenario)).await.unwrap();
    let stage = Stage::new();
    let codex = Codex::new(Options {
        binary,
        base_url: Some(format!("{}/v1", model.base_url())),
        api_key: Some(KEY.into()),
        // Its own sandbox wants a home that is not among temporary files.
        sandbox: SandboxMode::DangerFullAccess,
        inherited: stage.brief.inherited.clone(),
        ..Options::default()
    });
    std::fs::create_dir(codex_home(&stage)).unwrap();
    Some((stage, model, codex))
}

fn codex_home(stage: &Stage) -> PathBuf {
    stage.path("home/.codex")
}

#[tokio::test]
async fn its_version_is_the_recorded_one() {
    let Some((_stage, _model, codex)) = rig(Scenario::new("none")).await else {
        return;
    };
    let found = codex.probe().await.unwrap().version;
    println!("codex: {found}");
    assert!(
        found.ends_with(RECORDED_FROM),
        "{found}: record the transcripts anew"
    );
}

#[tokio::test]
async fn tools_work_and_a_later_attempt_goes_on_in_the_thread() {
    let scenario = Scenario::new("two attempts")
        .step(Step::shell("echo one >> log"))
        .step(Step::say("The first half is done."))
        .step(Step::shell("echo two >> log"))
        .step(Step::say("All is done."));
    let Some((mut stage, _model, codex)) = rig(scenario).await else {
        return;
    };
    let first = stage.run(&codex).await;
    assert_eq!(
        first.ending.kind,
        EndKind::Claimed,
        "{}\n{}",
        first.stdout,
        first.stderr
    );
    assert!(
        first.signals.iter().any(|s| matches!(s, Signal::Tool { .. })),
        "{}",
        first.stdout
    );
    stage.next(&first);
    let second = stage.run(&codex).await;
    assert_eq!(
        second.ending.kind,
        EndKind::Claimed,
        "{}\n{}",
        second.stdout,
        second.stderr
    );
    assert_eq!(second.account.session, first.account.session);
    assert_eq!(stage.read("log"), "one\ntwo\n");
    assert_eq!(
        second.account.spent.input_tokens,
        first.account.spent.input_tokens
    );
}

#[tokio::test]
async fn every_refusal_of_the_provider_has_its_end() {
    let rows: [(Fault, Wanted); 3] = [
        (Fault::rate_limited("1"), |kind| {
            matches!(kind, EndKind::RateLimited { .. })
        }),
        (Fault::overloaded(), |kind| *kind == EndKind::Overloaded),
        (
            Fault::error(401, "authentication_error", "invalid api key"),
            |kind| *kind == EndKind::Auth,
        ),
    ];
    for (fault, wanted) in rows {
        let scenario = Scenario::new("refused").step(Step::say("never").after(fault.clone()));
        let Some((stage, _model, codex)) = rig(scenario).await else {
            return;
        };
        let ran = stage.run(&codex).await;
        assert!(
            wanted(&ran.ending.kind),
            "{fault:?} is {:?}: {}\n{}",
            ran.ending,
            ran.stdout,
            ran.stderr
        );
    }
}

#[tokio::test]
async fn a_kill_in_the_middle_is_gone_on_from_in_the_same_thread() {
    let scenario = Scenario::new("silent")
        .step(Step::shell("echo one >> log"))
        .step(Step::say("Done.").after(Fault::hang().first(1)));
    let Some((mut stage, model, codex)) = rig(scenario).await else {
        return;
    };
    let running = stage.start(&codex).await;
    until("the silent request", || {
        (model.requests().len() > 1).then_some(())
    })
    .await;
    running.kill_now().unwrap();
    let killed = stage.finish(&running, &codex).await;
    assert_eq!(killed.ending.kind, EndKind::Interrupted, "{}", killed.stdout);
    stage.next(&killed);
    let second = stage.run(&codex).await;
    assert_eq!(
        second.ending.kind,
        EndKind::Claimed,
        "{}\n{}",
        second.stdout,
        second.stderr
    );
    assert_eq!(second.account.session, killed.account.session);
    assert_eq!(stage.read("log"), "one\n", "what was done is not done again");
}

/// The runtime in an instance's configuration, not contained.
fn lines(base_url: &str) -> Option<String> {
    let binary = client("codex")?;
    Some(format!(
        "kind = \"codex\"\nbinary = {binary:?}\nbase_url = \"{base_url}/v1\"\napi_key = {KEY:?}\n"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_goes_the_whole_way() {
    whole::a_task_goes_the_whole_way(lines).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_of_a_killed_service_goes_on_in_its_session() {
    whole::a_killed_worker_of_a_killed_service_goes_on_in_its_session(lines).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_reaches_a_person_and_its_answer_the_session() {
    let ask = Step::call("mcp__orchestrator__ask", json!({"text": whole::QUESTION}));
    whole::a_question_reaches_a_person_and_its_answer_the_session(lines, ask, Step::say).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_costs_no_attempt_and_holds_no_slot() {
    whole::a_rate_limit_costs_no_attempt_and_holds_no_slot(lines, false).await;
}
