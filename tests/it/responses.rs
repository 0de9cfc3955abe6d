//! The scripted model in OpenAI's Responses protocol, over the wire.

use orchestrator::scripted_model::{Fault, Scenario, Script, Server, Step};
use serde_json::{Value, json};

const KEY: &str = "sk-scripted";

async fn serve(script: Script) -> Server {
    Server::start(script.requires_key(KEY)).await.unwrap()
}

fn request(mark: &str, streams: bool) -> Value {
    json!({"model": "m", "stream": streams, "input": [{"role": "user", "content": mark}],
        "tools": [{"type": "function", "name": "exec_command"}]})
}

async fn ask(server: &Server, path: &str, key: &str, body: &Value) -> reqwest::Response {
    reqwest::Client::new()
        .post(format!("{}{path}", server.base_url()))
        .header("authorization", format!("Bearer {key}"))
        .header("x-api-key", key)
        .json(body)
        .send()
        .await
        .unwrap()
}

/// The events of a stream; each is named like its type.
fn events(text: &str) -> Vec<Value> {
    let event = |frame: &str| {
        let (name, data) = frame.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
        data
    };
    text.split_terminator("\n\n").map(event).collect()
}

#[tokio::test]
async fn one_script_answers_in_both_protocols() {
    let server = serve(Script::new().scenario(Scenario::new("run").step(Step::shell("make")))).await;
    let reply = ask(&server, "/v1/responses", KEY, &request("x", true)).await;
    let events = events(&reply.text().await.unwrap());
    let call = &events.last().unwrap()["response"]["output"][0];
    assert_eq!(
        (&call["name"], &call["arguments"]),
        (&json!("exec_command"), &json!(r#"{"cmd":"make"}"#))
    );
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
        "tools": [{"name": "bash"}]});
    let reply = ask(&server, "/v1/messages", KEY, &body).await;
    let message: Value = reply.json().await.unwrap();
    assert_eq!(message["content"][0]["input"], json!({"command": "make"}));
    let asked = server.requests();
    assert_eq!(asked.len(), 2);
    assert!(
        asked
            .iter()
            .all(|one| one.has_key && !format!("{one:?}").contains(KEY))
    );
}

#[tokio::test]
async fn the_second_turn_gets_the_second_step() {
    let steps = Scenario::new("two")
        .step(Step::shell("make"))
        .step(Step::say("Made."));
    let server = serve(Script::new().scenario(steps)).await;
    let first: Value = ask(&server, "/v1/responses", KEY, &request("x", false))
        .await
        .json()
        .await
        .unwrap();
    let call = first["output"][0].clone();
    let output = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "ok"});
    let mut next = request("x", false);
    next["input"].as_array_mut().unwrap().extend([call, output]);
    let second: Value = ask(&server, "/v1/responses", KEY, &next)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(second["output"][0]["content"][0]["text"], "Made.");
}

#[tokio::test]
async fn what_goes_wrong_goes_wrong_in_the_providers_shape() {
    let limit = Fault::error(429, "usage_limit_reached", "The usage limit has been reached")
        .field("resets_at", 1_800_000_000)
        .header("retry-after", "7");
    let script = Script::new()
        .scenario(
            Scenario::new("limit")
                .marked("[limit]")
                .step(Step::say("x").after(limit)),
        )
        .scenario(
            Scenario::new("broken")
                .marked("[broken]")
                .step(Step::say("x").after(Fault::error_event(1, "server_is_overloaded"))),
        )
        .scenario(
            Scenario::new("cut")
                .marked("[cut]")
                .step(Step::say("x").after(Fault::cut(2))),
        );
    let server = serve(script).await;
    for (key, mark, status, word) in [
        ("sk-wrong", "[limit]", 401, "invalid_request_error"),
        (KEY, "[limit]", 429, "usage_limit_reached"),
        (KEY, "[nothing]", 404, "not_found_error"),
    ] {
        let reply = ask(&server, "/v1/responses", key, &request(mark, true)).await;
        assert_eq!(reply.status().as_u16(), status, "{mark}");
        let retry_after = reply.headers().get("retry-after").cloned();
        let body: Value = reply.json().await.unwrap();
        assert_eq!(body["error"]["type"], word);
        assert_eq!(retry_after.is_some(), status == 429);
        assert_eq!(body["error"]["resets_at"] == 1_800_000_000, status == 429);
    }
    let broken = ask(&server, "/v1/responses", KEY, &request("[broken]", true)).await;
    let last = events(&broken.text().await.unwrap()).pop().unwrap();
    assert_eq!(last["type"], "response.failed");
    assert_eq!(last["response"]["error"]["code"], "server_is_overloaded");
    let cut = ask(&server, "/v1/responses", KEY, &request("[cut]", true)).await;
    assert!(cut.text().await.is_err());
}
