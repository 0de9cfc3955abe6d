//! Every way in which the provider fails, and how the attempt ends by it.

use std::time::{Duration, Instant};

use chrono::Utc;
use futures_util::future::join_all;
use orchestrator::domain::outcome::EndKind;
use orchestrator::runtime::Signal;
use orchestrator::scripted_model::{Fault, Scenario, Script, Step};
use serde_json::json;

use super::rig::{KEY, Rig, Run};

fn done() -> Step {
    Step::call("finish", json!({"outcome": "done", "reason": "fixed"}))
}

async fn rig(fault: Fault) -> Rig {
    Rig::new(Script::new().scenario(Scenario::new("trouble").step(done().after(fault)))).await
}

async fn run(fault: Fault) -> (Run, usize) {
    let rig = rig(fault).await;
    let run = rig.run().await;
    (run, rig.server.requests().len())
}

#[tokio::test]
async fn every_error_status_has_its_end() {
    let rows = [
        (401, "authentication_error", "invalid x-api-key", EndKind::Auth, 1),
        (403, "permission_error", "not yours", EndKind::Auth, 1),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low",
            EndKind::Auth,
            1,
        ),
        (
            429,
            "rate_limit_error",
            "enforced_spend_limit_reached",
            EndKind::Auth,
            1,
        ),
        (
            429,
            "rate_limit_error",
            "slow down",
            EndKind::RateLimited { until: None },
            1,
        ),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 9 > 1",
            EndKind::Poisoned,
            1,
        ),
        (413, "request_too_large", "too large", EndKind::Poisoned, 1),
        (
            400,
            "invalid_request_error",
            "max_tokens: 9 > 1",
            EndKind::Failed,
            1,
        ),
        (404, "not_found_error", "model: nope", EndKind::Failed, 1),
        (529, "overloaded_error", "Overloaded", EndKind::Overloaded, 3),
        (500, "api_error", "oops", EndKind::Overloaded, 3),
        (503, "api_error", "down", EndKind::Overloaded, 3),
    ];
    let checks = rows.map(|(status, word, message, kind, calls)| async move {
        let (run, asked) = run(Fault::error(status, word, message)).await;
        assert_eq!((run.ending.kind, asked), (kind, calls), "{status} {message}");
        assert_eq!(run.of("result")[0]["http_status"], status);
        assert!(run.ending.reason.contains(&status.to_string()) && run.ending.reason.contains(message));
        assert_eq!(run.exit.code(), Some(1));
    });
    join_all(checks).await;
}

#[tokio::test]
async fn a_refused_history_poisons_its_session() {
    let refused = Fault::error(400, "invalid_request_error", "messages.2: something odd");
    let scenario = Scenario::new("x")
        .step(Step::call("bash", json!({"command": "true"})))
        .step(done().after(refused));
    let rig = Rig::new(Script::new().scenario(scenario)).await;
    assert_eq!(rig.run().await.ending.kind, EndKind::Poisoned);
}

#[tokio::test]
async fn trouble_that_passes_is_waited_for() {
    let faults = [
        Fault::overloaded().first(2),
        Fault::rate_limited("0.3").first(1),
        Fault::cut(3).first(1),
        Fault::error_event(3, "overloaded_error").first(1),
    ];
    let checks = faults.map(|fault| async move {
        let (run, _) = run(fault.clone()).await;
        assert_eq!(run.ending.kind, EndKind::Claimed, "{fault:?}");
        let retry = run.of("retry");
        assert!(
            !retry.is_empty() && retry[0]["delay_ms"].as_u64() < Some(1_001),
            "{fault:?}"
        );
    });
    join_all(checks).await;
}

#[tokio::test]
async fn a_long_rate_limit_ends_the_attempt_at_once() {
    let before = Utc::now();
    let (run, asked) = run(Fault::rate_limited("7999")).await;
    let EndKind::RateLimited { until: Some(until) } = run.ending.kind else {
        panic!("{:?}", run.ending)
    };
    let wait = until - before;
    assert!((7_998..8_060).contains(&wait.num_seconds()), "{wait}");
    assert_eq!(asked, 1);
    assert!(
        run.signals
            .iter()
            .any(|s| matches!(s, Signal::RateLimit(limit) if limit.until == Some(until)))
    );
}

#[tokio::test]
async fn a_rate_limit_that_stays_is_not_waited_for_longer_than_seconds() {
    let start = Instant::now();
    let (run, asked) = run(Fault::rate_limited("2")).await;
    assert!(matches!(run.ending.kind, EndKind::RateLimited { until: Some(_) }));
    assert_eq!(asked, 3);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_stream_that_is_always_cut_is_an_overload() {
    for after in [0, 1, 5] {
        let (run, asked) = run(Fault::cut(after)).await;
        assert_eq!((run.ending.kind, asked), (EndKind::Overloaded, 2), "{after}");
    }
    let (run, _) = run(Fault::cut(3)).await;
    assert_eq!(
        run.account.spent.input_tokens,
        Some(200),
        "a reply that broke off is paid for"
    );
}

#[tokio::test]
async fn errors_in_mid_stream() {
    let (run, asked) = run(Fault::error_event(3, "overloaded_error")).await;
    assert_eq!((run.ending.kind, asked), (EndKind::Overloaded, 3));
    let (other, _) = super::troubles::run(Fault::error_event(1, "authentication_error")).await;
    assert_eq!(other.ending.kind, EndKind::Auth);
}

#[tokio::test]
async fn silence_ends_the_call_and_beats_nothing() {
    for fault in [Fault::hang(), Fault::hang_after(3)] {
        let mut rig = rig(fault).await;
        rig.options.idle_timeout = Duration::from_millis(400);
        let run = rig.run().await;
        assert_eq!(run.ending.kind, EndKind::Network);
        assert!(
            run.ending.reason.contains("nothing for 0.4 s"),
            "{}",
            run.ending.reason
        );
        assert!(run.of("alive").is_empty());
    }
}

#[tokio::test]
async fn a_slow_stream_is_not_silence() {
    let step = done().paced(Duration::from_millis(120));
    let mut rig = Rig::new(Script::new().scenario(Scenario::new("slow").step(step))).await;
    rig.options.idle_timeout = Duration::from_millis(1_000);
    assert_eq!(rig.run().await.ending.kind, EndKind::Claimed);
}

#[tokio::test]
async fn nobody_there_is_a_matter_of_the_network() {
    let mut rig = rig(Fault::hang()).await;
    // A port that was just free and has no listener.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    rig.options.base_url = format!("http://127.0.0.1:{port}");
    let run = rig.run().await;
    assert_eq!(run.ending.kind, EndKind::Network);
    assert_eq!(run.of("retry").len(), 2);
    // TLS towards a port that speaks none.
    rig.options.base_url = rig.server.base_url().replace("http:", "https:");
    assert_eq!(rig.run().await.ending.kind, EndKind::Network);
}

#[tokio::test]
async fn without_the_right_key_the_provider_refuses() {
    let script = || {
        Script::new()
            .requires_key(KEY)
            .scenario(Scenario::new("x").step(done()))
    };
    let mut rig = Rig::new(script()).await;
    rig.options.api_key = None;
    let run = rig.run().await;
    assert_eq!(run.ending.kind, EndKind::Auth);
    assert!(!rig.server.requests()[0].has_key);
    rig.options.api_key = Some("broken\nkey".to_owned().into());
    let run = rig.run().await;
    assert_eq!(run.ending.kind, EndKind::Failed);
    assert!(!run.ending.reason.contains("broken"), "a key is never said");
}

#[tokio::test]
async fn an_endpoint_that_answers_nonsense_is_refused() {
    let app = axum::Router::new().fallback(|| async { "hello" });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut rig = rig(Fault::hang()).await;
    rig.options.base_url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let run = rig.run().await;
    serving.abort();
    assert_eq!(run.ending.kind, EndKind::Failed);
    assert!(run.ending.reason.contains("no message"));
}
