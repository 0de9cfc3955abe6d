//! What goes wrong, by its meaning, on both dialects.

use std::time::Duration;

use axum::http::Method;
use chrono::TimeDelta;
use orchestrator::domain::landing::{Mergeability, Pull};
use orchestrator::forge::{Address, ForgeError, Kind, NewPull, Remedy, Squash, connect};
use rstest::rstest;
use tokio::net::TcpListener;

use super::stage::{A, BRANCH, Fault, Stage, TOKEN, client, noon, settings};

async fn read(stage: &Stage) -> Result<Pull, ForgeError> {
    stage.forge.read(100).await
}

/// A stage with one open pull request, whose next reading goes wrong.
async fn broken(kind: Kind, fault: Fault) -> Stage {
    let stage = Stage::set(kind).await;
    stage.pull(100, BRANCH, A, "open");
    stage.world().faults.push(fault);
    stage
}

fn reading(status: u16) -> Fault {
    Fault::new(Method::GET, "pulls", status)
}

#[rstest]
#[tokio::test]
async fn limits_say_until_when(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let reset = (noon() + TimeDelta::minutes(17)).timestamp().to_string();
    for (fault, wait) in [
        (
            reading(403)
                .header("x-ratelimit-remaining", "0")
                .header("x-ratelimit-reset", &reset),
            17 * 60,
        ),
        (
            reading(429)
                .header("x-ratelimit-remaining", "0")
                .header("x-ratelimit-reset", &reset),
            17 * 60,
        ),
        (reading(403).header("retry-after", "30"), 30),
        (
            reading(403).saying("You have exceeded a secondary rate limit. Please wait a few minutes."),
            60,
        ),
        (reading(429), 60),
        (reading(503).header("retry-after", "7"), 7),
    ] {
        let stage = broken(kind, fault).await;
        let error = read(&stage).await.unwrap_err();
        assert_eq!(
            error.remedy(),
            Remedy::WaitUntil(noon() + Duration::from_secs(wait)),
            "{error}"
        );
        read(&stage).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn statuses_by_their_meaning(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    for (status, begins, remedy) in [
        (
            301,
            "127.0.0.1 says that it moved while asked to read the pull request;",
            Remedy::AskPerson,
        ),
        (
            400,
            "127.0.0.1 did not read the pull request, it takes it for invalid (why not)",
            Remedy::AskPerson,
        ),
        (
            401,
            "127.0.0.1 does not accept the token (why not)",
            Remedy::AskPerson,
        ),
        (
            403,
            "127.0.0.1 does not let the token read the pull request (why not)",
            Remedy::AskPerson,
        ),
        (
            404,
            "127.0.0.1 did not read the pull request: not found",
            Remedy::AskPerson,
        ),
        (
            405,
            "127.0.0.1 refused to read the pull request (why not)",
            Remedy::LookAgain,
        ),
        (
            409,
            "127.0.0.1 did not read the pull request, it conflicts (why not)",
            Remedy::LookAgain,
        ),
        (
            410,
            "127.0.0.1 did not read the pull request: not found",
            Remedy::AskPerson,
        ),
        (
            418,
            "127.0.0.1 gave an answer that cannot be read",
            Remedy::AskPerson,
        ),
        (
            422,
            "127.0.0.1 did not read the pull request, it takes it for invalid (why not)",
            Remedy::AskPerson,
        ),
        (
            423,
            "127.0.0.1 refused to read the pull request (why not)",
            Remedy::LookAgain,
        ),
        (500, "127.0.0.1 has trouble of its own (500)", Remedy::TryAgain),
        (502, "127.0.0.1 has trouble of its own (502)", Remedy::TryAgain),
        (503, "127.0.0.1 has trouble of its own (503)", Remedy::TryAgain),
    ] {
        let stage = broken(kind, reading(status).saying("why not")).await;
        let error = read(&stage).await.unwrap_err();
        assert!(error.to_string().starts_with(begins), "{status}: {error}");
        assert_eq!(error.remedy(), remedy, "{status}");
    }
}

#[rstest]
#[tokio::test]
async fn no_redirect_carries_the_token_away(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let elsewhere = Stage::set(kind).await;
    for status in [301, 302, 307, 308] {
        let target = format!("{}/repos/acme/app/pulls/100", elsewhere.url);
        let stage = broken(kind, reading(status).header("location", target)).await;
        assert!(matches!(read(&stage).await, Err(ForgeError::Moved { .. })));
    }
    assert!(elsewhere.world().log.is_empty());
}

#[rstest]
#[tokio::test]
async fn answers_that_are_none(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    for body in ["", "<html>login</html>", "{}", "[]", "null", "{\"number\":"] {
        let mut fault = reading(200);
        fault.body = body.to_owned();
        let error = read(&broken(kind, fault).await).await.unwrap_err();
        assert!(matches!(error, ForgeError::Unreadable { .. }), "{body}: {error}");
    }
    // An error in a page's clothes is still told by its status.
    let mut fault = reading(502);
    fault.body = "<html>".repeat(100);
    let error = read(&broken(kind, fault).await).await.unwrap_err();
    assert!(matches!(error, ForgeError::Server { status: 502, .. }), "{error}");
}

#[rstest]
#[tokio::test]
async fn nobody_there(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let stage = Stage::set(kind).await;
    let error = client(kind, &url, stage.clock.clone()).read(1).await.unwrap_err();
    assert!(matches!(error, ForgeError::Network { .. }), "{error}");
    assert_eq!(error.remedy(), Remedy::TryAgain);
    assert!(
        error.to_string().contains("refused") && !error.to_string().contains(TOKEN),
        "{error}"
    );
}

#[rstest]
#[tokio::test]
async fn a_page_that_is_lost_loses_the_list(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    for n in 0..5 {
        stage.check(A, &format!("ci/{n}"), "success");
    }
    // A list whose next page is itself has no end.
    let path = if kind == Kind::GitHub {
        "check-runs"
    } else {
        "statuses"
    };
    let mut fault = Fault::new(Method::GET, path, 200).header("link", r#"<https://h/x?page=1>; rel="next""#);
    fault.body = if kind == Kind::GitHub {
        r#"{"check_runs":[]}"#
    } else {
        "[]"
    }
    .to_owned();
    stage.world().faults.push(fault);
    let error = stage.forge.checks(A, "main").await.unwrap_err();
    assert!(
        error.to_string().contains("its next page cannot be told"),
        "{error}"
    );
}

fn squash() -> Squash {
    Squash {
        commit: A.to_owned(),
        title: "Fix it".to_owned(),
        message: "Words".to_owned(),
    }
}

#[rstest]
#[tokio::test]
async fn merges_that_are_refused(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    stage.pull(100, BRANCH, A, "open");
    stage.world().pulls[0].mergeable = Some(false);
    let error = stage.forge.merge(100, &squash()).await.unwrap_err();
    assert!(matches!(error, ForgeError::Refused { .. }), "{error}");
    assert_eq!(stage.world().pulls[0].state, "open");
    stage.world().pulls[0].mergeable = Some(true);
    stage.forge.merge(100, &squash()).await.unwrap();
    let error = stage.forge.merge(100, &squash()).await.unwrap_err();
    assert_eq!(error.remedy(), Remedy::LookAgain);
    assert_eq!(read(&stage).await.unwrap().head, A);
}

#[tokio::test]
async fn giteas_conflicts_are_told_apart() {
    let stage = Stage::set(Kind::Gitea).await;
    stage.pull(100, BRANCH, A, "open");
    for words in ["merge push out of date", ""] {
        stage
            .world()
            .faults
            .push(Fault::new(Method::POST, "merge", 409).saying(words));
        let error = stage.forge.merge(100, &squash()).await.unwrap_err();
        assert!(matches!(error, ForgeError::Conflict { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_github_says_of_merging() {
    let stage = Stage::set(Kind::GitHub).await;
    stage.pull(100, BRANCH, A, "open");
    for (mergeable, state, wanted) in [
        (None, "unknown", Mergeability::Unknown),
        (Some(true), "clean", Mergeability::Clean),
        (Some(true), "unstable", Mergeability::Clean),
        (Some(true), "has_hooks", Mergeability::Clean),
        (Some(true), "behind", Mergeability::Behind),
        (Some(true), "blocked", Mergeability::Blocked),
        (Some(true), "unknown", Mergeability::Unknown),
        (Some(false), "dirty", Mergeability::Conflict),
        (Some(false), "blocked", Mergeability::Conflict),
    ] {
        stage.world().pulls[0].mergeable = mergeable;
        stage.world().pulls[0].mergeable_state = state;
        assert_eq!(
            read(&stage).await.unwrap().mergeability,
            wanted,
            "{mergeable:?} {state}"
        );
    }
}

#[rstest]
#[tokio::test]
async fn nothing_to_open(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    let new = NewPull {
        branch: BRANCH.to_owned(),
        base: "main".to_owned(),
        commit: A.to_owned(),
        title: "Fix it".to_owned(),
        body: String::new(),
    };
    let error = orchestrator::forge::adopt_or_open(&*stage.forge, &new)
        .await
        .unwrap_err();
    assert_eq!(error.remedy(), Remedy::AskPerson, "{error}");
}

/// A task may name any repository; a token is for one host.
#[rstest]
#[tokio::test]
async fn a_token_is_for_its_own_host(#[values(Kind::GitHub, Kind::Gitea)] kind: Kind) {
    let stage = Stage::set(kind).await;
    for (address, fits) in [
        ("https://forge.example/acme/app", true),
        ("git@FORGE.example:acme/app.git", true),
        ("ssh://git@forge.example:2222/acme/app.git", true),
        ("https://forge.example.evil/acme/app", false),
        ("https://evil.example/forge.example/app", false),
        ("https://forge.example:444/acme/app", false),
    ] {
        let repository: Address = address.parse().unwrap();
        let made = connect(&settings(kind, &stage.url), &repository, stage.clock.clone());
        assert_eq!(made.is_ok(), fits, "{address}");
    }
    assert!(stage.world().log.is_empty());
}
