//! Files, both ways.

use orchestrator::chat::Chat;
use orchestrator::chat::heard::{Attached, What};
use orchestrator::chat::message::Place;
use serde_json::json;

use super::stand_in::world::Trouble;
use super::stand_in::{JANE, MAIN, Stage};
use super::{Notebook, is_away, is_gone, is_refused, main, words};

fn handle(handle: &str) -> Attached {
    Attached {
        name: "a.txt".to_owned(),
        bytes: None,
        handle: handle.to_owned(),
    }
}

#[tokio::test]
async fn a_file_that_came_with_a_message() {
    let stage = Stage::set().await;
    let (slack, ear) = (stage.slack(), Notebook::default());
    let root = stage.world().root.clone();
    let stored = (
        "a.txt".to_owned(),
        "text/plain".to_owned(),
        b"twelve bytes".to_vec(),
    );
    stage.world().files.insert("F1".to_owned(), stored);
    let file =
        json!({ "id": "F1", "name": "../a.txt", "size": 12, "url_private": format!("{root}/files/F1") });
    stage.write(
        MAIN,
        json!({ "user": JANE, "text": "look", "subtype": "file_share", "files": [file] }),
    );
    ear.until(&slack, |ear| ear.heard().len() == 1).await;
    let What::Text { files, .. } = ear.heard().remove(0).what else {
        panic!("no text");
    };
    assert_eq!((files[0].name.as_str(), files[0].bytes), ("../a.txt", Some(12)));
    assert_eq!(slack.fetch(&files[0], 12).await.unwrap(), b"twelve bytes");
    assert!(is_refused(&slack.fetch(&files[0], 11).await));
    assert!(is_gone(
        &slack.fetch(&handle(&format!("{root}/files/F9")), 99).await
    ));
    stage.world().fail("files/", Trouble::Lose);
    assert!(is_away(&slack.fetch(&files[0], 99_999).await));
}

/// The token goes nowhere but to Slack.
#[tokio::test]
async fn a_file_elsewhere_is_not_fetched() {
    let stage = Stage::set().await;
    let elsewhere = Stage::set().await;
    let slack = stage.slack();
    let other = elsewhere.world().root.clone();
    let root = stage.world().root.clone();
    for url in [
        format!("{other}/files/F1"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "https://files.slack.com.evil.example/x".to_owned(),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ] {
        assert!(is_refused(&slack.fetch(&handle(&url), 99).await), "{url}");
    }
    let there = vec![("location", format!("{other}/files/F1"))];
    stage.world().fail("files/", Trouble::Refuse(302, there));
    assert!(is_refused(
        &slack.fetch(&handle(&format!("{root}/files/F1")), 99).await
    ));
    assert!(elsewhere.world().calls.is_empty() && elsewhere.world().used.is_empty());
}

#[tokio::test]
async fn a_page_for_logging_in_is_no_file() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    stage.world().granted.remove("files:read");
    let url = format!("{}/files/F1", stage.world().root);
    let said = slack.fetch(&handle(&url), 9_999).await.unwrap_err().to_string();
    assert!(said.contains("files:read"), "{said}");
}

#[tokio::test]
async fn a_file_is_shown_in_a_thread() {
    let stage = Stage::set().await;
    let slack = stage.slack();
    let thread = slack.post(&main(), &words("card"), "k", None).await.unwrap();
    let place = Place {
        room: MAIN.to_owned(),
        thread: Some(thread.clone()),
    };
    slack
        .upload(&place, "logs/../run 1.log", b"all of it".to_vec(), "f")
        .await
        .unwrap();
    let world = stage.world();
    let shown = world
        .ours(MAIN)
        .into_iter()
        .find(|m| m["subtype"] == "file_share")
        .unwrap();
    assert_eq!(shown["thread_ts"], thread.as_str());
    assert_eq!(shown["files"][0]["title"], "run 1.log");
    let (name, _, bytes) = &world.files[shown["files"][0]["id"].as_str().unwrap()];
    assert_eq!(
        (name.as_str(), bytes.as_slice()),
        ("run 1.log", &b"all of it"[..])
    );
}
