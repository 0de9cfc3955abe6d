//! Requests that Slack makes: nothing counts but what it signed, just now, over these very bytes.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use chrono::{TimeDelta, Utc};
use orchestrator::chat::Chat;
use orchestrator::chat::heard::What;
use orchestrator::chat::port::{Reply, Request};
use orchestrator::chat::slack::Slack;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::Notebook;
use super::stand_in::acts::{form, signed, signed_with};
use super::stand_in::{JANE, MAIN, SIGNING_SECRET, Stage, TEAM};

fn message(text: &str) -> Value {
    json!({
        "type": "event_callback", "team_id": TEAM, "event_id": "Ev1",
        "event": { "type": "message", "channel": MAIN, "channel_type": "channel", "user": JANE, "text": text, "ts": "1355517523.000005", "team": TEAM },
    })
}

fn bare(status: u16) -> Reply {
    Reply {
        status,
        body: String::new(),
    }
}

#[tokio::test]
async fn what_is_not_signed_is_refused_without_a_word() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack_by_requests(), Notebook::default());
    let body = message("approve fix").to_string().into_bytes();
    let now = Utc::now();
    let stamped = |seconds: i64| {
        let stamp = (now + TimeDelta::seconds(seconds)).timestamp().to_string();
        signed_with(SIGNING_SECRET, &body, &stamp, now)
    };
    let changed = |change: fn(&mut Request)| {
        let mut request = stamped(0);
        change(&mut request);
        request
    };
    for (what, request) in [
        ("no signature", changed(|r| drop(r.headers.remove(2)))),
        ("no time", changed(|r| drop(r.headers.remove(1)))),
        (
            "another secret",
            signed_with("guess", &body, &now.timestamp().to_string(), now),
        ),
        (
            "an empty secret",
            signed_with("", &body, &now.timestamp().to_string(), now),
        ),
        ("one byte more", changed(|r| r.body.push(b'\n'))),
        ("too old", stamped(-301)),
        ("too far ahead", stamped(301)),
        ("no number", signed_with(SIGNING_SECRET, &body, "yesterday", now)),
        ("two times", changed(|r| r.headers.push(r.headers[1].clone()))),
        (
            "two signatures",
            changed(|r| r.headers.push(r.headers[2].clone())),
        ),
    ] {
        assert_eq!(slack.request(&request, &ear).await, bare(401), "{what}");
    }
    assert_eq!(ear.heard(), []);
    assert_eq!(slack.request(&stamped(-299), &ear).await, bare(200));
    assert_eq!(ear.texts(), ["approve fix"]);
}

/// No body of ours and no log line holds a signature that would be good, nor the secret.
#[tokio::test]
async fn a_wrong_signature_teaches_nothing() {
    let stage = Stage::set().await;
    let slack = stage.slack_by_requests();
    let body = message("x").to_string().into_bytes();
    let good = signed(&body, Utc::now());
    let right = good.headers[2].1.clone();
    let mut forged = good;
    forged.headers[2].1 = format!("v0={}", "0".repeat(64));
    let log = Log::default();
    let sink = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || sink.clone())
        .finish();
    let reply = {
        let _guard = tracing::subscriber::set_default(subscriber);
        slack.request(&forged, &Notebook::default()).await
    };
    assert_eq!(reply, bare(401));
    let told = log.text();
    assert!(
        !told.contains(&right[3..]) && !told.contains(SIGNING_SECRET),
        "{told}"
    );
}

#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_replay_is_answered_alike_and_known_by_its_event() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack_by_requests(), Notebook::default());
    let id = stage.say(JANE, MAIN, "x");
    let press = json!({ "payload": stage.pressed(JANE, MAIN, &id, "n") });
    let command = stage.commanded(JANE, MAIN, "status");
    for body in [
        message("status").to_string().into_bytes(),
        form(&press),
        form(&command),
    ] {
        let before = ear.heard().len();
        let request = signed(&body, Utc::now());
        for _ in 0..2 {
            assert_eq!(slack.request(&request, &ear).await, bare(200));
        }
        let heard = ear.heard();
        assert_eq!(heard.len(), before + 2);
        assert_eq!(heard[before].event, heard[before + 1].event);
    }
}

#[tokio::test]
async fn every_form_of_request() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack_by_requests(), Notebook::default());
    let challenge = json!({ "type": "url_verification", "token": "t", "challenge": "3eZbrw1a\"B" });
    let reply = slack
        .request(&signed(challenge.to_string().as_bytes(), Utc::now()), &ear)
        .await;
    assert_eq!(reply.status, 200);
    let said: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(said["challenge"], "3eZbrw1a\"B");
    let id = stage.say(JANE, MAIN, "x");
    let press = json!({ "payload": stage.pressed(JANE, MAIN, &id, "n-1") });
    let command = stage.commanded(JANE, MAIN, "why fix-login & more");
    for body in [form(&press), form(&command)] {
        assert_eq!(slack.request(&signed(&body, Utc::now()), &ear).await, bare(200));
    }
    let heard = ear.heard();
    assert!(matches!(&heard[0].what, What::Press { nonce, on } if nonce == "n-1" && *on == id));
    assert!(
        matches!(&heard[1].what, What::Text { text, addressed: true, .. } if text == "why fix-login & more")
    );
    for (body, status) in [
        (&b"{"[..], 400),
        (b"payload=%7B", 400),
        (b"ssl_check=1", 200),
        (b"\xff\xfe", 200),
        (b"", 200),
    ] {
        assert_eq!(
            slack.request(&signed(body, Utc::now()), &ear).await,
            bare(status),
            "{body:?}"
        );
    }
    assert_eq!(ear.heard().len(), 2);
}

#[tokio::test]
async fn what_could_not_be_written_down_is_to_come_again() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack_by_requests(), Notebook::default());
    ear.deaf.store(1, Ordering::SeqCst);
    let request = signed(message("status").to_string().as_bytes(), Utc::now());
    assert_eq!(slack.request(&request, &ear).await, bare(503));
    assert_eq!(slack.request(&request, &ear).await, bare(200));
    assert_eq!(ear.heard().len(), 1);
}

#[tokio::test]
async fn a_canary_comes_by_a_request_as_well() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack_by_requests(), Notebook::default());
    slack.canary("n-1").await.unwrap();
    let event = stage.world().pending.back().unwrap().envelope["payload"].clone();
    slack
        .request(&signed(event.to_string().as_bytes(), Utc::now()), &ear)
        .await;
    assert_eq!(ear.echoes(), ["n-1"]);
}

#[tokio::test]
async fn without_a_secret_there_is_no_such_address() {
    let stage = Stage::set().await;
    let request = signed(message("x").to_string().as_bytes(), Utc::now());
    assert_eq!(
        stage.slack().request(&request, &Notebook::default()).await,
        bare(404)
    );
    let settings = stage.settings("signing_secret = \" \"\napp_token = \"xapp-1\"\n");
    assert!(Slack::new(&settings, Duration::from_secs(1)).is_err());
}

/// An address on loopback behind which the adapter is, as the service has it.
async fn address(slack: Arc<Slack>, ear: Arc<Notebook>) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/chat/slack", listener.local_addr().unwrap());
    let take = move |headers: HeaderMap, body: Bytes| async move {
        let named = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
        };
        let request = Request {
            headers: headers.iter().map(named).collect(),
            body: body.to_vec(),
            at: Utc::now(),
        };
        let reply = slack.request(&request, ear.as_ref()).await;
        (StatusCode::from_u16(reply.status).unwrap(), reply.body)
    };
    let router = axum::Router::new().route("/chat/slack", axum::routing::post(take));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, AbortOnDropHandle::new(serving))
}

#[tokio::test]
async fn everything_comes_by_requests_and_again_until_it_is_taken() {
    let stage = Stage::set().await;
    let (slack, ear) = (Arc::new(stage.slack_by_requests()), Arc::new(Notebook::default()));
    let (url, _serving) = address(slack.clone(), ear.clone()).await;
    stage.tell_by_requests(&url).await;
    ear.deaf.store(1, Ordering::SeqCst);
    let id = stage.say(JANE, MAIN, "status");
    stage.press(JANE, MAIN, &id, "n-1");
    stage.command(JANE, MAIN, "why fix");
    slack.canary("n-2").await.unwrap();
    let taken = |ear: &Notebook| ear.heard().len() == 3 && ear.echoes() == ["n-2"];
    ear.until(slack.as_ref(), |ear| {
        taken(ear) && stage.world().pending.is_empty()
    })
    .await;
    assert_eq!(ear.texts().len(), 2);
}

#[tokio::test]
async fn without_a_socket_listening_never_ends() {
    let stage = Stage::set().await;
    let slack = stage.slack_by_requests();
    let ear = Notebook::default();
    let listening = tokio::time::timeout(Duration::from_millis(200), slack.listen(&ear));
    assert!(listening.await.is_err());
    assert_eq!(stage.world().opened, 0);
}
