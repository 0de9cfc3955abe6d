//! Stopped in the middle.

use std::time::{Duration, Instant};

use orchestrator::domain::outcome::EndKind;
use serde_json::{Value, json};

use super::rig::{Rig, after_prompt, client, opening, stop, update};

fn usage(amount: f64) -> Value {
    update(
        json!({"sessionUpdate":"usage_update","used":1,"size":2,"cost":{"amount":amount,"currency":"USD"}}),
    )
}

fn cancel() -> Value {
    json!({"dir":"client->agent","msg":{"jsonrpc":"2.0","method":"session/cancel"}})
}

#[test]
fn an_agent_that_says_cancelled_is_waited_for() {
    let question = json!({"dir":"agent->client","msg":{"jsonrpc":"2.0","id":50,"method":"session/request_permission",
        "params":{"sessionId":"s1","toolCall":{"toolCallId":"c"},"options":[{"optionId":"y","kind":"allow_once","name":"Y"}]}}});
    let answered = json!({"dir":"client->agent","msg":{"jsonrpc":"2.0","id":50,"result":{}}});
    let rig = after_prompt(&[cancel(), question, answered, usage(0.5), stop("cancelled")]);
    let started = rig.start();
    started.await_method("session/prompt");
    started.terminate();
    let ran = started.wait();
    assert_eq!((ran.kind(), ran.code), (EndKind::Interrupted, Some(1)));
    assert_eq!(ran.told("session/cancel"), &json!({"sessionId":"s1"}));
    assert_eq!(ran.answers(), [&json!({"outcome":{"outcome":"cancelled"}})]);
    assert_eq!(
        ran.account.spent.cost_usd,
        Some(0.5),
        "what it used until then is counted"
    );
}

#[test]
fn an_agent_that_hangs_is_told_and_then_ended() {
    let mut rig = after_prompt(&[json!({"do":"deaf"}), usage(0.1), json!({"do":"hang"})]);
    rig.options.grace = Duration::from_millis(200);
    let started = rig.start();
    started.await_line("usage");
    let asked = Instant::now();
    started.terminate();
    let ran = started.wait();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(
        (ran.kind(), ran.ending.reason.as_str()),
        (EndKind::Interrupted, "it was cancelled")
    );
    assert_eq!(ran.account.session.as_deref(), Some("s1"));
}

#[test]
fn a_stop_before_the_prompt_needs_no_cancel() {
    let rig = Rig::steps(&[client(0, "initialize"), json!({"do":"hang"})]);
    let started = rig.start();
    started.await_method("initialize");
    started.terminate();
    let ran = started.wait();
    assert_eq!(ran.kind(), EndKind::Interrupted);
    assert!(!ran.was_told("session/cancel"));
}

#[test]
fn a_budget_that_is_used_up_cancels() {
    let mut all = opening(json!({}));
    all.extend([usage(0.2), usage(1.1), cancel(), stop("cancelled")]);
    let mut rig = Rig::steps(&all);
    rig.brief.budget_usd = Some(1.0);
    let ran = rig.run();
    assert_eq!(
        (ran.kind(), ran.ending.reason.as_str()),
        (EndKind::Budget, "it has used up its budget")
    );
    assert!(ran.was_told("session/cancel"));
}
