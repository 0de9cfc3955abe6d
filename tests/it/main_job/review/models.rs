//! Who reviews, and a model of the Messages API that does.

use std::fs;

use orchestrator::scripted_model::{Scenario, Script, Server, Step};
use serde_json::json;

use super::super::world::{World, section};
use super::{CLEAN, blocks, check, says, world};

/// Seen to fail with the candidates of the tiers left out of `Fleet::reviewers`.
#[test]
fn where_no_other_vendor_is_there_another_model_reviews_and_that_is_said() {
    let world = World::new();
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}[review]\nmode = \"on\"\n")).unwrap();
    let both = format!(
        "case $ORCHESTRATOR_WORKSPACE in\n*/reviews/*)\n{};;\n*) echo x > done.txt ;;\nesac\n",
        says(CLEAN)
    );
    world.worker("one", &both);
    world.save_tasks(&[&section("one", "")]);
    let _up = world.up();
    let done = world.until_state("one", "completed");
    assert_eq!(check(&done, "review by script/model-s")["verdict"], "passed");
    let log = world.done(&["logs", "one", "--check", "review"]).out;
    assert!(
        log.contains("another model of the worker's vendor: no other vendor could be had"),
        "{log}"
    );
}

/// An instance whose reviewer is a model of this server.
fn with_model(server: &Server, tier: &str) -> World {
    let world = world("", "");
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace(
        "runtimes = [\"critic\"]",
        &format!("runtimes = [\"api\"]\ntier = {tier:?}"),
    );
    let api = format!(
        "[runtimes.api]\nkind = \"messages\"\nbase_url = {:?}\napi_key = \"sk-x\"\n",
        server.base_url()
    );
    fs::write(&config, format!("{text}{api}")).unwrap();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_looks_into_the_work_and_answers() {
    let reviewer = Scenario::new("reviewer")
        .for_model("model-o")
        .marked("You review the work of somebody else")
        .step(Step::call(
            "bash",
            json!({"command": "cat done.txt; echo x > done.txt; git log --format=%s"}),
        ))
        .step(Step::say(&format!("I have read it.\n```json\n{CLEAN}\n```")))
        .step(Step::call(
            "finish",
            json!({"outcome": "done", "reason": "reviewed"}),
        ));
    let server = Server::start(Script::new().scenario(reviewer)).await.unwrap();
    let world = with_model(&server, "opus");
    world.save_tasks(&[&section("one", "")]);
    let _up = world.up();
    let done = world.until_task("one", "an end", |task| {
        task["state"] == "completed" || task["state"] == "blocked"
    });
    assert_eq!(done["state"], "completed", "{done:#}");
    assert_eq!(check(&done, "review by api/model-o")["verdict"], "passed");
    let heard = world.state_dir().join("reviews/one/1-1/answer-1/stdout.log");
    let heard = fs::read_to_string(heard).unwrap();
    assert!(
        heard.contains("Read-only file system") && heard.contains("The work under review"),
        "{heard}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_answers_badly_is_asked_again_in_its_session() {
    let reviewer = Scenario::new("reviewer")
        .marked("You review the work of somebody else")
        .step(Step::say("It is fine, I accept it."))
        .step(Step::call(
            "finish",
            json!({"outcome": "done", "reason": "accepted"}),
        ))
        .step(Step::say(&blocks("it names no number")))
        .step(Step::call(
            "finish",
            json!({"outcome": "blocked", "reason": "it must change"}),
        ));
    let server = Server::start(Script::new().scenario(reviewer)).await.unwrap();
    let world = with_model(&server, "haiku");
    let config = world.root().join("orchestrator.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("[review]\n", "[review]\nrounds = 1\n")).unwrap();
    world.save_tasks(&[&section("one", "")]);
    let _up = world.up();
    let waits = world.until_state("one", "blocked");
    let why = waits["blocked_reason"].as_str().unwrap();
    assert!(
        why.contains("do not agree") && why.contains("it names no number"),
        "{why}"
    );
}
