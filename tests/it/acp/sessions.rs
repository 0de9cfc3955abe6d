//! Sessions: opened, opened again, and what is handed on with the prompt.

use std::fs;

use orchestrator::domain::outcome::EndKind;
use serde_json::{Value, json};

use super::rig::{Rig, after_prompt, answer, client, opening, refuse, stop, update};

fn said(text: &str) -> Value {
    update(json!({"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":text}}))
}

/// An agent that opens the old session by this method, and answers it with this step.
fn reopening(method: &str, capabilities: Value, steps: &[Value]) -> Rig {
    let mut all = vec![
        client(0, "initialize"),
        answer(0, json!({"protocolVersion":1,"agentCapabilities":capabilities})),
        client(1, method),
    ];
    all.extend_from_slice(steps);
    all.extend([client(2, "session/prompt"), said("Went on."), stop("end_turn")]);
    Rig::steps(&all).resume("old")
}

#[test]
fn an_old_session_is_loaded_and_its_past_is_no_news() {
    let steps = [said("Long ago."), answer(1, json!({}))];
    let ran = reopening("session/load", json!({"loadSession":true}), &steps).run();
    assert_eq!(
        (ran.kind(), ran.ending.reason.as_str()),
        (EndKind::Claimed, "Went on."),
        "{ran:#?}"
    );
    assert_eq!(ran.told("session/load")["sessionId"], "old");
    assert_eq!(ran.told("session/prompt")["sessionId"], "old");
    assert_eq!(ran.of_type("text").len(), 1);
    assert_eq!(
        (&ran.of_type("init")[0]["resumed"], ran.account.session.as_deref()),
        (&json!(true), Some("old"))
    );
}

#[test]
fn resuming_is_preferred_to_loading() {
    let both = json!({"loadSession":true,"sessionCapabilities":{"resume":{}}});
    let ran = reopening("session/resume", both, &[answer(1, json!({}))]).run();
    assert_eq!(ran.kind(), EndKind::Claimed);
    assert!(ran.was_told("session/resume") && !ran.was_told("session/load"));
}

#[test]
fn a_session_that_cannot_be_loaded_is_poisoned() {
    let lost = refuse(
        1,
        json!({"code":-32603,"message":"Internal error","data":{"details":"no session old"}}),
    );
    let ran = reopening("session/load", json!({"loadSession":true}), &[lost]).run();
    assert_eq!(ran.kind(), EndKind::Poisoned);
    assert!(
        ran.ending.reason.contains("no session old"),
        "{}",
        ran.ending.reason
    );
    assert_eq!(ran.account.session, None);
    assert!(!ran.was_told("session/prompt"));
}

#[test]
fn an_agent_that_forgets_begins_anew_and_people_are_told() {
    let mut all = opening(json!({}));
    all.push(stop("end_turn"));
    let ran = Rig::steps(&all).resume("old").run();
    assert_eq!(
        (ran.kind(), ran.account.session.as_deref()),
        (EndKind::Claimed, Some("s1"))
    );
    assert_eq!(ran.of_type("notice").len(), 1);
    assert_eq!(ran.of_type("init")[0]["resumed"], false);
}

#[test]
fn the_cost_of_a_session_is_not_counted_twice() {
    let cost = update(
        json!({"sessionUpdate":"usage_update","used":1,"size":2,"cost":{"amount":0.75,"currency":"USD"}}),
    );
    let cost_of = |capabilities: Value| {
        let steps = [answer(1, json!({})), cost.clone()];
        let mut rig = reopening("session/load", capabilities, &steps);
        rig.brief.session_cost_usd_before = Some(0.5);
        let account = rig.run().account;
        (account.spent.cost_usd, account.session_cost_usd)
    };
    assert_eq!(cost_of(json!({"loadSession":true})), (Some(0.25), Some(0.75)));
    let by_process = json!({"loadSession":true,"_meta":{"claudeCode":{}}});
    assert_eq!(cost_of(by_process), (Some(0.75), Some(0.75)));
}

#[test]
fn an_agent_is_signed_in_only_where_that_is_configured() {
    let mut all = opening(json!({}));
    all.insert(2, answer(9, json!({})));
    all.insert(2, client(9, "authenticate"));
    all.push(stop("end_turn"));
    let mut rig = Rig::steps(&all);
    rig.options.auth_method = Some("api-key".into());
    let ran = rig.run();
    assert_eq!(
        (ran.kind(), &ran.told("authenticate")["methodId"]),
        (EndKind::Claimed, &json!("api-key"))
    );
    assert!(!after_prompt(&[stop("end_turn")]).run().was_told("authenticate"));
}

#[test]
fn an_agent_that_wants_a_sign_in_says_how() {
    let ran = Rig::steps(&[
        client(0, "initialize"),
        answer(
            0,
            json!({"protocolVersion":1,"authMethods":[{"id":"oauth","name":"Log in","description":"d"}]}),
        ),
        client(1, "session/new"),
        refuse(1, json!({"code":-32000,"message":"Authentication required"})),
    ])
    .run();
    assert_eq!(ran.kind(), EndKind::Auth);
    assert!(
        ran.ending.reason.contains("auth_method to one of: oauth"),
        "{}",
        ran.ending.reason
    );
}

fn models(chosen: &Value, steps: &[Value]) -> Vec<Value> {
    let mut all = opening(json!({}));
    all[3] = answer(1, chosen.clone());
    all.splice(4..4, steps.iter().cloned());
    all.push(stop("end_turn"));
    all
}

fn by_option() -> Value {
    let option = |value: &str| json!({"value":value,"name":value});
    json!({"sessionId":"s1","configOptions":[{"id":"llm","name":"Model","category":"model","type":"select",
        "currentValue":"opus","options":[option("opus"), option("haiku")]}]})
}

#[test]
fn the_tiers_model_is_chosen() {
    let choice = [
        client(7, "session/set_config_option"),
        answer(7, json!({"configOptions":[]})),
    ];
    let ran = Rig::steps(&models(&by_option(), &choice))
        .model("claude-haiku-4-5")
        .run();
    assert_eq!(ran.kind(), EndKind::Claimed, "{ran:#?}");
    let told = ran.told("session/set_config_option");
    assert_eq!(
        (&told["configId"], &told["value"]),
        (&json!("llm"), &json!("haiku"))
    );
    assert_eq!(ran.account.model.as_deref(), Some("haiku"));

    let older = json!({"sessionId":"s1","models":{"currentModelId":"pro","availableModels":[
        {"modelId":"pro","name":"Pro"},{"modelId":"flash","name":"Flash"}]}});
    let choice = [client(7, "session/set_model"), answer(7, json!({}))];
    let ran = Rig::steps(&models(&older, &choice)).model("flash").run();
    assert_eq!(
        ran.told("session/set_model"),
        &json!({"sessionId":"s1","modelId":"flash"})
    );
    assert_eq!(
        (ran.kind(), ran.account.model.as_deref()),
        (EndKind::Claimed, Some("flash"))
    );
}

#[test]
fn a_model_that_the_agent_does_not_have_is_never_replaced_by_another() {
    let ran = Rig::steps(&models(&by_option(), &[])).model("gpt-5").run();
    assert_eq!((ran.kind(), ran.code), (EndKind::Blocked, Some(77)));
    assert!(ran.ending.reason.contains("no model 'gpt-5'") && ran.ending.reason.contains("opus, haiku"));
    assert!(!ran.was_told("session/prompt"), "nothing was spent");
}

#[test]
fn the_prompt_brings_the_files_and_the_agent_verbs() {
    let mut all = opening(json!({"promptCapabilities":{"image":true}}));
    all.push(stop("end_turn"));
    let mut rig = Rig::steps(&all);
    let (shot, notes) = (
        rig.workspace().join("shot.png"),
        rig.workspace().join("notes.txt"),
    );
    fs::write(&shot, b"\x89PNG").unwrap();
    fs::write(&notes, b"n").unwrap();
    rig.brief.attachments = vec![shot, notes];
    rig.brief.mcp = vec!["/bin/orchestrator".into(), "mcp".into()];
    let ran = rig.run();
    let prompt = &ran.told("session/prompt")["prompt"];
    let kinds: Vec<&Value> = prompt
        .as_array()
        .unwrap()
        .iter()
        .map(|block| &block["type"])
        .collect();
    assert_eq!(kinds, ["text", "image", "resource_link"]);
    assert_eq!(prompt[0]["text"], "Do it.");
    let server = &ran.told("session/new")["mcpServers"][0];
    assert_eq!(
        (&server["name"], &server["args"]),
        (&json!("orchestrator"), &json!(["mcp"]))
    );
    let env = server["env"].as_array().unwrap();
    assert!(env.contains(&json!({"name":"ORCHESTRATOR_TOKEN","value":"the-token"})));
    assert!(env.iter().all(|pair| pair["name"] != "ORCHESTRATOR_ACP"));
}

#[test]
fn the_plan_is_the_phase_and_the_outcome_file_refines_the_claim() {
    let entry = |content: &str, status: &str| json!({"content":content,"priority":"low","status":status});
    let plan = json!({"sessionUpdate":"plan","entries":[entry("read", "completed"), entry("write tests", "in_progress")]});
    let rig = after_prompt(&[update(plan), stop("end_turn")]);
    fs::write(
        &rig.brief.outcome_file,
        r#"{"outcome":"continue","reason":"half of it"}"#,
    )
    .unwrap();
    let ran = rig.run();
    assert!(
        ran.signals
            .contains(&orchestrator::runtime::Signal::Phase("write tests".into()))
    );
    assert_eq!(
        (ran.kind(), ran.ending.reason.as_str()),
        (EndKind::Continue, "half of it")
    );
}
