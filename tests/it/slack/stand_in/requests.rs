//! Events by HTTP: each is sent to the app's address, signed, until it is taken.

use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};

use super::acts::{form, signed};
use super::{Shared, Stage};

impl Stage {
    /// From now on the app is told of everything by requests to this address; Slack tries it first, as it does.
    pub async fn tell_by_requests(&self, url: &str) {
        let challenge = json!({ "type": "url_verification", "token": "old", "challenge": "try-this" });
        let (status, said) = send(url, challenge.to_string().into_bytes(), "application/json").await;
        let said: Value = serde_json::from_str(&said).unwrap_or_default();
        assert_eq!(
            (status, &said["challenge"]),
            (200, &json!("try-this")),
            "{url} did not answer the challenge"
        );
        self.world().request_url = Some(url.to_owned());
    }
}

/// Sends what is due, one after the other.
pub async fn deliver(world: Shared) {
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    loop {
        tick.tick().await;
        let url = world.lock().unwrap().request_url.clone();
        let Some(url) = url else { continue };
        let due = world.lock().unwrap().due();
        for envelope in due {
            let payload = &envelope["payload"];
            let (body, kind) = match envelope["type"].as_str() {
                Some("interactive") => (
                    form(&json!({ "payload": payload.to_string() })),
                    "application/x-www-form-urlencoded",
                ),
                Some("slash_commands") => (form(payload), "application/x-www-form-urlencoded"),
                _ => (payload.to_string().into_bytes(), "application/json"),
            };
            let (status, _) = send(&url, body, kind).await;
            if (200..300).contains(&status) {
                let id = envelope["envelope_id"].as_str().unwrap().to_owned();
                world.lock().unwrap().acknowledge(&id);
            }
        }
    }
}

/// Status and body of the answer; 0 where there is none within the three seconds that Slack waits.
async fn send(url: &str, body: Vec<u8>, kind: &str) -> (u16, String) {
    let request = signed(&body, Utc::now());
    let mut post = reqwest::Client::new()
        .post(url)
        .timeout(Duration::from_secs(3))
        .body(body);
    for (name, value) in &request.headers {
        let value = if name == "content-type" { kind } else { value };
        post = post.header(name, value);
    }
    match post.send().await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
        Err(_) => (0, String::new()),
    }
}
