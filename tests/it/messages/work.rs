//! The loop: work from prompt to `finish`, limits, what is told on the way.

use orchestrator::domain::outcome::EndKind;
use orchestrator::runtime::Signal;
use orchestrator::runtime::messages::Prices;
use orchestrator::scripted_model::{Scenario, Script, Step, Tokens};
use serde_json::json;

use super::rig::{KEY, Rig};

fn one(steps: Vec<Step>) -> Script {
    let scenario = steps
        .into_iter()
        .fold(Scenario::new("calc").marked("[calc]"), Scenario::step);
    Script::new().requires_key(KEY).scenario(scenario)
}

fn done() -> Step {
    Step::call(
        "finish",
        json!({"outcome": "done", "reason": "fixed and checked"}),
    )
}

const TOKENS: Tokens = Tokens {
    input: 1_000,
    output: 100,
    cache_write: 10,
    cache_read: 20,
};

async fn calculator() -> Rig {
    let fix = json!({"command": "str_replace", "path": "calc.txt", "old_str": "5", "new_str": "4"});
    let rig = Rig::new(one(vec![
        Step::say("I look first.")
            .and_call("bash", json!({"command": "cat calc.txt"}))
            .using(TOKENS),
        Step::call("edit", fix)
            .and_call(
                "progress",
                json!({"text": "corrected the sum", "phase": "checking"}),
            )
            .using(TOKENS),
        done().using(TOKENS),
    ]))
    .await;
    std::fs::write(rig.brief.workspace.join("calc.txt"), "2 + 2 = 5\n").unwrap();
    rig
}

#[tokio::test]
async fn a_task_is_worked_from_prompt_to_finish() {
    let rig = calculator().await;
    let run = rig.run().await;
    assert_eq!(run.ending.kind, EndKind::Claimed);
    assert_eq!(run.ending.reason, "fixed and checked");
    assert_eq!(run.exit.code(), Some(0));
    assert_eq!(rig.in_workspace("calc.txt"), "2 + 2 = 4\n");
    let progress = std::fs::read_to_string(&rig.brief.progress_file).unwrap();
    assert!(
        progress.contains("## Work Log\n\n- 20") && progress.contains("Z corrected the sum"),
        "{progress}"
    );
    assert_eq!(run.results()[0], "2 + 2 = 5\n[exit code 0]");
    let asked = rig.server.requests();
    assert_eq!(
        asked.iter().map(|request| request.step).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert!(
        asked
            .iter()
            .all(|request| request.has_key && request.headers["anthropic-version"] == "2023-06-01")
    );
    assert!(
        asked[0].body["system"][0]["text"]
            .as_str()
            .unwrap()
            .contains("finish")
    );
}

#[tokio::test]
async fn what_was_used_and_done_is_told() {
    let mut rig = calculator().await;
    let prices = Prices {
        input: 1.0,
        output: 10.0,
        cache_write: Some(2.0),
        cache_read: Some(0.5),
    };
    rig.options.prices.insert(rig.brief.model.clone(), prices);
    let run = rig.run().await;
    assert_eq!(run.account.spent.input_tokens, Some(3_090));
    assert_eq!(run.account.spent.output_tokens, Some(300));
    let cost = 3.0 * (1_000.0 + 1_000.0 + 20.0 + 10.0) / 1e6;
    assert!((run.account.spent.cost_usd.unwrap() - cost).abs() < 1e-9);
    assert_eq!(run.account.model.as_deref(), Some("scripted-haiku"));
    assert!(
        run.signals
            .iter()
            .any(|s| matches!(s, Signal::Tool { name, .. } if name == "bash"))
    );
    for signal in [Signal::Phase("checking".into()), Signal::Alive] {
        assert!(run.signals.contains(&signal), "{signal:?}");
    }
}

#[tokio::test]
async fn every_last_word_has_its_exit_code() {
    for (word, kind, code) in [
        ("done", EndKind::Claimed, 0),
        ("no_change_needed", EndKind::NoChangeNeeded, 0),
        ("continue", EndKind::Continue, 75),
        ("blocked", EndKind::Blocked, 77),
        ("needs_stronger_model", EndKind::NeedsStrongerModel, 1),
    ] {
        let rig = Rig::new(one(vec![Step::call(
            "finish",
            json!({"outcome": word, "reason": "so"}),
        )]))
        .await;
        let run = rig.run().await;
        assert_eq!((run.ending.kind, run.exit.code()), (kind, Some(code)), "{word}");
        assert_eq!(run.account.spent.cost_usd, None, "no prices, no cost");
    }
}

#[tokio::test]
async fn a_model_that_just_stops_is_asked_once() {
    let rig = Rig::new(one(vec![Step::say("Shall I?"), done()])).await;
    assert_eq!(rig.run().await.ending.reason, "fixed and checked");
    let asked = &rig.server.requests()[1].body["messages"];
    assert!(
        asked[2]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("without calling `finish`")
    );

    let rig = Rig::new(one(vec![Step::say("Shall I?"), Step::say("I ask again.")])).await;
    let run = rig.run().await;
    assert_eq!(run.ending.kind, EndKind::Claimed);
    assert!(run.ending.reason.contains("I ask again."));
    assert_eq!(run.of("result")[0]["finished"], false);
}

#[tokio::test]
async fn the_limit_of_turns_ends_it() {
    let look = || Step::call("bash", json!({"command": "true"}));
    let mut rig = Rig::new(one(vec![look(), look(), look(), look()])).await;
    rig.brief.max_turns = Some(2);
    let run = rig.run().await;
    assert_eq!(run.ending.kind, EndKind::MaxTurns);
    assert_eq!(rig.server.requests().len(), 2);
}

#[tokio::test]
async fn the_budget_ends_it_before_the_next_call() {
    let dear = || {
        let tokens = Tokens {
            input: 600_000,
            output: 0,
            ..Tokens::default()
        };
        Step::call("bash", json!({"command": "true"})).using(tokens)
    };
    let mut rig = Rig::new(one(vec![dear(), dear(), dear(), done()])).await;
    let prices = Prices {
        input: 1.0,
        output: 1.0,
        cache_write: None,
        cache_read: None,
    };
    rig.options.prices.insert(rig.brief.model.clone(), prices);
    rig.brief.budget_usd = Some(1.0);
    let run = rig.run().await;
    assert_eq!(run.ending.kind, EndKind::Budget);
    assert!(
        (run.account.spent.cost_usd.unwrap() - 1.2).abs() < 1e-9,
        "it overshoots by one call at most"
    );

    let mut rig = Rig::new(one(vec![done()])).await;
    rig.brief.budget_usd = Some(1.0);
    let run = rig.run().await;
    assert_eq!(run.ending.kind, EndKind::Claimed);
    assert!(
        run.of("notice")[0]["text"]
            .as_str()
            .unwrap()
            .contains("not enforced")
    );
}

#[tokio::test]
async fn replies_that_are_cut_off_go_on_but_not_for_ever() {
    let cut = || Step::say("a long").stopping("max_tokens");
    let broken = Step::silent()
        .and_raw_call("edit", "{\"command\":\"create\",\"pa")
        .stopping("max_tokens");
    let rig = Rig::new(one(vec![cut(), broken, cut(), done()])).await;
    let run = rig.run().await;
    assert_eq!(run.ending.kind, EndKind::Claimed);
    assert!(run.results()[0].contains("no JSON"));

    let rig = Rig::new(one((0..6).map(|_| cut()).collect())).await;
    let run = rig.run().await;
    assert_eq!(run.ending.kind, EndKind::Failed);
    assert!(run.ending.reason.contains("max_tokens"));
    assert_eq!(rig.server.requests().len(), 4);
}

#[tokio::test]
async fn other_ends_of_a_turn() {
    for (word, kind) in [
        ("refusal", EndKind::Failed),
        ("model_context_window_exceeded", EndKind::Poisoned),
    ] {
        let rig = Rig::new(one(vec![Step::say("I cannot.").stopping(word)])).await;
        assert_eq!(rig.run().await.ending.kind, kind, "{word}");
    }
    let rig = Rig::new(one(vec![Step::say("wait").stopping("pause_turn"), done()])).await;
    assert_eq!(rig.run().await.ending.kind, EndKind::Claimed);
}

#[tokio::test]
async fn tiers_get_different_answers_and_the_script_can_be_told() {
    let word = |outcome: &str| Step::call("finish", json!({"outcome": outcome, "reason": "r"}));
    let script = Script::new()
        .scenario(
            Scenario::new("cheap")
                .for_model("haiku")
                .step(word("needs_stronger_model")),
        )
        .scenario(Scenario::new("dear").for_model("sonnet").step(word("done")));
    let mut rig = Rig::new(script).await;
    assert_eq!(rig.server.describe().len(), 4);
    assert_eq!(rig.run().await.ending.kind, EndKind::NeedsStrongerModel);
    rig.brief.model = "scripted-sonnet".to_owned();
    assert_eq!(rig.run().await.ending.kind, EndKind::Claimed);
}

#[tokio::test]
async fn a_worker_without_its_variables_says_so() {
    let rig = Rig::new(Script::new()).await;
    let child = tokio::process::Command::new(&rig.options.exe)
        .arg(orchestrator::runtime::messages::VERB)
        .env_clear()
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let run = rig.finish(child).await;
    assert_eq!((run.ending.kind, run.exit.code()), (EndKind::Failed, Some(1)));
    assert!(run.ending.reason.contains("ORCHESTRATOR_MESSAGES is not set"));
}

#[tokio::test]
async fn an_empty_prompt_is_said() {
    let mut rig = Rig::new(one(vec![done()])).await;
    rig.brief.prompt = " \n".to_owned();
    assert!(rig.run().await.ending.reason.contains("prompt is empty"));
    assert!(rig.server.requests().is_empty());
}

#[tokio::test]
async fn streamed_and_whole_replies_say_the_same() {
    let step =
        || Step::say("Text with ümlauts in several pieces.").and_call("bash", json!({"command": "ls -la"}));
    let rig = Rig::new(one(vec![step()])).await;
    let http = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
    let request = |stream: bool| {
        let body = json!({"model":"m","max_tokens":9,"stream":stream,"messages":[{"role":"user","content":"[calc]"}]});
        http.post(format!("{}/v1/messages", rig.server.base_url()))
            .header("x-api-key", KEY)
            .json(&body)
            .send()
    };
    let whole = request(false).await.unwrap().bytes().await.unwrap();
    let whole: orchestrator::runtime::messages::wire::Reply = serde_json::from_slice(&whole).unwrap();
    let stream = request(true).await.unwrap().text().await.unwrap();
    let mut assembly = orchestrator::runtime::messages::assembly::Assembly::default();
    for data in stream.lines().filter_map(|line| line.strip_prefix("data: ")) {
        assembly.push(serde_json::from_str(data).unwrap());
    }
    assert_eq!(assembly.finish(), whole.into());
}

#[tokio::test]
async fn pictures_are_shown_once_and_one_that_is_too_long_is_for_a_person() {
    let word = |outcome: &str| Step::call("finish", json!({"outcome": outcome, "reason": "r"}));
    let scenario = Scenario::new("look").step(word("continue")).step(word("done"));
    let mut rig = Rig::new(Script::new().scenario(scenario)).await;
    let picture = rig.path("shot.png");
    std::fs::write(&picture, b"\x89PNG\r\n\x1a\n...").unwrap();
    rig.brief.attachments = vec![picture.clone(), rig.path("ws")];
    let first = rig.run().await;
    assert_eq!(first.ending.kind, EndKind::Continue);
    rig.brief.session = first.account.session.clone();
    rig.brief.attempt_dir = rig.path("state/fix-calc/2");
    assert_eq!(rig.run().await.ending.kind, EndKind::Claimed);
    let sent = rig.server.requests()[1].body["messages"].to_string();
    assert_eq!(sent.matches("\"image/png\"").count(), 1, "{sent}");
    let long = [&b"\x89PNG\r\n\x1a\n"[..], &vec![0; 5 << 20]].concat();
    std::fs::write(&picture, long).unwrap();
    let refused = rig.run().await;
    assert_eq!(refused.ending.kind, EndKind::Blocked);
    assert!(
        refused.ending.reason.contains("shot.png"),
        "{}",
        refused.ending.reason
    );
}
