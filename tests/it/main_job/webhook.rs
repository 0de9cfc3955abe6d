//! What a webhook is told: signed, in order, once in effect, whatever the receiver and the service go through.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::runtime::Runtime;

use super::world::{World, section};

const SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0";
const KEY: &[u8] = b"secret of the test";

/// How the receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    /// Never.
    Silent,
    /// 429, to be left alone for a second.
    Busy,
    /// 503.
    Broken,
    /// 404 to what is of the task `bad`.
    Picky,
}

#[derive(Debug, Clone)]
struct Call {
    id: String,
    body: Value,
}

struct Book {
    mood: Mood,
    /// What was answered with 2xx.
    taken: Vec<Call>,
    /// How many were not.
    refused: u32,
}

struct Receiver {
    book: Arc<Mutex<Book>>,
    address: SocketAddr,
    _runtime: Runtime,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let book = Arc::new(Mutex::new(Book {
            mood: Mood::Good,
            taken: Vec::new(),
            refused: 0,
        }));
        let app = Router::new().fallback(take).with_state(book.clone());
        let runtime = Runtime::new().unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
        Self {
            book,
            address,
            _runtime: runtime,
        }
    }

    fn set(&self, mood: Mood) {
        self.book.lock().unwrap().mood = mood;
    }

    fn taken(&self) -> Vec<Call> {
        self.book.lock().unwrap().taken.clone()
    }

    fn refused(&self) -> u32 {
        self.book.lock().unwrap().refused
    }

    /// The words of all reports of a task, doubles dropped as a receiver does, digests unpacked.
    fn told_of(&self, task: &str) -> Vec<String> {
        let mut seen = std::collections::BTreeSet::new();
        let calls = self
            .taken()
            .into_iter()
            .filter(|call| seen.insert(call.id.clone()));
        let reports = calls.flat_map(|call| match call.body["data"]["reports"].as_array() {
            Some(reports) => reports.clone(),
            None => vec![call.body["data"].clone()],
        });
        reports
            .filter(|report| report["task"] == task)
            .map(|report| report["report"]["report"].as_str().unwrap().to_owned())
            .collect()
    }

    fn config(&self, more: &str) -> String {
        format!(
            "[chat.ops]\nkind = \"webhook\"\nurl = \"http://{}/hook?token=hidden\"\nsecret = \"{SECRET}\"\n{more}",
            self.address
        )
    }
}

async fn take(State(book): State<Arc<Mutex<Book>>>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(&body);
    let signed = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), signed);
    let body: Value = serde_json::from_slice(&body).unwrap();
    let mood = {
        let mut book = book.lock().unwrap();
        let good = match book.mood {
            Mood::Good => true,
            Mood::Picky => body["data"]["task"] != "bad",
            Mood::Silent | Mood::Busy | Mood::Broken => false,
        };
        match good {
            true => book.taken.push(Call { id, body }),
            false => book.refused += 1,
        }
        if good { Mood::Good } else { book.mood }
    };
    match mood {
        Mood::Good => StatusCode::NO_CONTENT.into_response(),
        Mood::Silent => std::future::pending().await,
        Mood::Busy => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response(),
        Mood::Broken => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mood::Picky => StatusCode::NOT_FOUND.into_response(),
    }
}

#[test]
fn a_task_is_told_from_its_start_to_its_end() {
    let receiver = Receiver::start();
    let world = World::configured("", &receiver.config(""));
    let _up = world.up();
    world.save_tasks(&[&section("one", "")]);
    world.until("it is told", || {
        (receiver.told_of("one").len() == 2).then_some(())
    });
    assert_eq!(receiver.told_of("one"), ["spawning", "completed"]);
    let last = receiver.taken().pop().unwrap();
    assert_eq!(last.body["type"], "task.completed");
    let text = last.body["data"]["text"].as_str().unwrap();
    assert!(
        text.starts_with("✅ [one] - completed! Validation: ✓ functionality"),
        "{text}"
    );
    let log = world.log() + &*world.done(&["config", "show"]).out;
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn a_single_pass_tells_too_and_only_what_is_wanted() {
    let receiver = Receiver::start();
    let wanted = "projects = [\"p\"]\nreports = [\"completed\", \"blocked\"]\n";
    let world = World::configured("", &receiver.config(wanted));
    world.save_tasks(&[
        &section("one", "- **Project:** p\n"),
        &section("two", "- **Project:** q\n"),
    ]);
    world.done(&["tick", "--wait"]);
    assert_eq!(receiver.told_of("one"), ["completed"]);
    assert!(receiver.told_of("two").is_empty());
}

#[test]
fn a_receiver_that_never_answers_slows_nothing_and_misses_nothing() {
    let receiver = Receiver::start();
    receiver.set(Mood::Silent);
    let world = World::configured("", &receiver.config("timeout = \"300ms\"\n"));
    let mut up = world.up();
    world.save_tasks(&[&section("one", "")]);
    world.until_archived("one");
    world.until("it was tried", || (receiver.refused() > 0).then_some(()));
    assert!(receiver.taken().is_empty());
    up.kill();
    receiver.set(Mood::Good);
    let _again = world.up();
    world.until("it is told", || {
        (receiver.told_of("one").len() == 2).then_some(())
    });
    assert_eq!(receiver.told_of("one"), ["spawning", "completed"]);
}

#[test]
fn a_pause_that_is_asked_for_is_made() {
    let receiver = Receiver::start();
    receiver.set(Mood::Busy);
    let world = World::configured("", &receiver.config(""));
    let _up = world.up();
    world.save_tasks(&[&section("one", "")]);
    world.until_archived("one");
    let tries = world.until("it was tried", || {
        Some(receiver.refused()).filter(|tries| *tries > 0)
    });
    assert!(tries <= 2 + 1, "{tries} tries within the pauses of a short task");
    receiver.set(Mood::Good);
    world.until("it is told", || {
        (receiver.told_of("one").len() == 2).then_some(())
    });
}

#[test]
fn what_is_refused_waits_by_itself() {
    let receiver = Receiver::start();
    receiver.set(Mood::Picky);
    let world = World::configured("", &receiver.config(""));
    let _up = world.up();
    world.save_tasks(&[&section("bad", ""), &section("one", "")]);
    world.until_archived("bad");
    world.until("the other one is told", || {
        (receiver.told_of("one").len() == 2 && receiver.refused() > 0).then_some(())
    });
    assert!(receiver.told_of("bad").is_empty());
    assert!(world.log().contains("refused"), "{}", world.log());
    assert!(!world.log().contains("hidden"), "{}", world.log());
}

#[test]
fn after_a_long_silence_there_is_a_digest_instead_of_a_flood() {
    let receiver = Receiver::start();
    receiver.set(Mood::Broken);
    let world = World::configured("max_concurrent = 8\n", &receiver.config(""));
    let ids: Vec<String> = (0..16).map(|n| format!("t{n}")).collect();
    let sections: Vec<String> = ids.iter().map(|id| section(id, "")).collect();
    let sections: Vec<&str> = sections.iter().map(String::as_str).collect();
    {
        let _up = world.up();
        world.save_tasks(&sections);
        for id in &ids {
            world.until_task(id, "it is over", |task| task["state"] == "completed");
        }
    }
    receiver.set(Mood::Good);
    let _up = world.up();
    world.until("all are told", || {
        ids.iter().all(|id| receiver.told_of(id).len() == 2).then_some(())
    });
    for id in &ids {
        assert_eq!(receiver.told_of(id), ["spawning", "completed"], "{id}");
    }
    let calls = receiver.taken();
    assert!(calls.len() < 8, "{} messages", calls.len());
    let digest = calls.iter().find(|call| call.body["type"] == "digest").unwrap();
    let text = digest.body["data"]["text"].as_str().unwrap();
    assert!(text.starts_with("🗞️ "), "{text}");
}

#[test]
fn a_service_that_dies_again_and_again_tells_everything_once_in_effect() {
    let receiver = Receiver::start();
    let world = World::configured("", &receiver.config("per_minute = 6000\n"));
    let ids: Vec<String> = (0..6).map(|n| format!("t{n}")).collect();
    let sections: Vec<String> = ids.iter().map(|id| section(id, "")).collect();
    let sections: Vec<&str> = sections.iter().map(String::as_str).collect();
    world.save_tasks(&sections);
    // It is killed each time that one more message has arrived.
    loop {
        let before = receiver.taken().len();
        let mut up = world.up_at_once();
        let done = world.until("one more message, or the end", || {
            let all = ids.iter().all(|id| {
                receiver
                    .told_of(id)
                    .last()
                    .is_some_and(|word| word == "completed")
            });
            (all || receiver.taken().len() > before).then_some(all)
        });
        up.kill();
        if done {
            break;
        }
    }
    let mut bodies: BTreeMap<String, Value> = BTreeMap::new();
    for call in receiver.taken() {
        let body = call.body.clone();
        let first = bodies.entry(call.id.clone()).or_insert(call.body);
        assert_eq!(*first, body, "the same key is the same message");
    }
    for id in &ids {
        let told = receiver.told_of(id);
        let ends = told.iter().filter(|word| *word == "completed").count();
        assert_eq!((ends, told[0].as_str()), (1, "spawning"), "{id}: {told:?}");
    }
}
