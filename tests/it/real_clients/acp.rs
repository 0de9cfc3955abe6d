//! An agent of the Agent Client Protocol: Claude Code behind its adapter.

use std::path::PathBuf;

use orchestrator::domain::outcome::EndKind;
use orchestrator::runtime::acp::{Acp, Options, Permission, RECORDED_FROM};
use orchestrator::runtime::{Runtime, Signal};
use orchestrator::scripted_model::{Fault, Scenario, Script, Server, Step};
use serde_json::json;

use super::{client, whole};
use crate::runtime_contract::stage::{EXE, Stage, Wanted, until};

/// The adapter's settings come by its environment.
fn set(stage: &mut Stage, model: &Server) -> Option<Acp> {
    let own = [
        ("ANTHROPIC_BASE_URL", model.base_url()),
        ("ANTHROPIC_API_KEY", "sk-ant-scripted".to_owned()),
    ];
    let names = own.iter().map(|(name, _)| (*name).to_owned()).collect();
    stage
        .brief
        .inherited
        .extend(own.map(|(name, value)| (name.into(), value.into())));
    Some(Acp::new(Options {
        permission: Permission::All,
        env: names,
        inherited: stage.brief.inherited.clone(),
        ..Options::new(PathBuf::from(EXE), vec![client("claude-agent-acp")?])
    }))
}

async fn rig(scenario: Scenario) -> Option<(Stage, Server, Acp)> {
    let model = Server::start(Script::new().scenario(scenario)).await.unwrap();
    let mut stage = Stage::new();
    let agent = set(&mut stage, &model)?;
    Some((stage, model, agent))
}

#[tokio::test]
async fn its_version_is_the_recorded_one() {
    let Some((_stage, _model, agent)) = rig(Scenario::new("none")).await else {
        return;
    };
    let found = agent.probe().await.unwrap().version;
    println!("claude-agent-acp: {found}");
    assert!(
        found.ends_with(RECORDED_FROM),
        "{found}: record the transcripts anew"
    );
}

#[tokio::test]
async fn tools_work_and_a_later_attempt_goes_on_in_the_session() {
    let scenario = Scenario::new("two attempts")
        .step(Step::shell("echo one >> log"))
        .step(Step::say("The first half is done."))
        .step(Step::shell("echo two >> log"))
        .step(Step::say("All is done."));
    let Some((mut stage, _model, agent)) = rig(scenario).await else {
        return;
    };
    let first = stage.run(&agent).await;
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
    let second = stage.run(&agent).await;
    assert_eq!(
        second.ending.kind,
        EndKind::Claimed,
        "{}\n{}",
        second.stdout,
        second.stderr
    );
    assert_eq!(second.account.session, first.account.session);
    assert_eq!(stage.read("log"), "one\ntwo\n");
}

#[tokio::test]
async fn every_refusal_of_the_provider_has_its_end() {
    let rows: [(Fault, Wanted); 3] = [
        (Fault::rate_limited("1"), |kind| {
            matches!(kind, EndKind::RateLimited { .. })
        }),
        (Fault::overloaded(), |kind| *kind == EndKind::Overloaded),
        (
            Fault::error(401, "authentication_error", "invalid x-api-key"),
            |kind| *kind == EndKind::Auth,
        ),
    ];
    for (fault, wanted) in rows {
        let scenario = Scenario::new("refused").step(Step::say("never").after(fault.clone()));
        let Some((stage, _model, agent)) = rig(scenario).await else {
            return;
        };
        let ran = stage.run(&agent).await;
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
async fn the_limit_of_turns_holds() {
    let endless = (0..9).fold(Scenario::new("endless"), |all, n| {
        all.step(Step::shell(&format!("echo {n} >> log")))
    });
    let Some((mut stage, _model, agent)) = rig(endless).await else {
        return;
    };
    stage.brief.max_turns = Some(2);
    let ran = stage.run(&agent).await;
    assert_eq!(
        ran.ending.kind,
        EndKind::MaxTurns,
        "{}\n{}",
        ran.stdout,
        ran.stderr
    );
    assert_eq!(stage.read("log").lines().count(), 2);
}

#[tokio::test]
async fn a_kill_in_the_middle_is_gone_on_from_in_the_same_session() {
    let scenario = Scenario::new("silent")
        .step(Step::shell("echo one >> log"))
        .step(Step::say("Done.").after(Fault::hang().first(1)));
    let Some((mut stage, model, agent)) = rig(scenario).await else {
        return;
    };
    let running = stage.start(&agent).await;
    until("the silent request", || {
        (model.requests().len() > 1).then_some(())
    })
    .await;
    running.kill_now().unwrap();
    let killed = stage.finish(&running, &agent).await;
    assert_eq!(killed.ending.kind, EndKind::Interrupted, "{}", killed.stdout);
    stage.next(&killed);
    let second = stage.run(&agent).await;
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

/// The runtime in an instance's configuration, with what the adapter needs in its environment.
fn lines(base_url: &str) -> Option<String> {
    let command = [
        "env",
        &format!("ANTHROPIC_BASE_URL={base_url}"),
        "ANTHROPIC_API_KEY=sk-ant-scripted",
        &client("claude-agent-acp")?,
    ]
    .map(str::to_owned);
    Some(format!("kind = \"acp\"\ncommand = {command:?}\n"))
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
    whole::a_rate_limit_costs_no_attempt_and_holds_no_slot(lines, true).await;
}
