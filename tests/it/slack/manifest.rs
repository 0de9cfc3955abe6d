//! `orchestrator slack manifest`, as people run it: before there is a surface, and for each kind.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn run(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .args(args)
        .current_dir(dir)
        .env_remove("ORCHESTRATOR_HOME")
        .output()
        .unwrap()
}

fn instance(surfaces: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    assert!(run(dir.path(), &["init"]).status.success());
    let file = dir.path().join("orchestrator.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n{surfaces}")).unwrap();
    dir
}

fn surface(name: &str, listening: &str) -> String {
    format!(
        "[chat.{name}]\nkind = \"slack\"\nbot_token = \"${{NO_SUCH_TOKEN}}\"\nteam = \"T1\"\nchannel = \"C1\"\n{listening}\n"
    )
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn before_there_is_anything() {
    let dir = tempfile::tempdir().unwrap();
    for args in [
        &["slack", "manifest"][..],
        &["slack", "manifest", "--json", "--name", "Fleet"],
    ] {
        let output = run(dir.path(), args);
        assert!(output.status.success(), "{}", said(&output));
        let made: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(made["settings"]["socket_mode_enabled"], true);
    }
}

#[test]
fn for_the_surface_of_a_configuration() {
    let both = surface("one", "app_token = \"${NO_SUCH_TOKEN}\"")
        + surface("two", "signing_secret = \"s\"").as_str();
    let dir = instance(&both);
    let several = run(dir.path(), &["slack", "manifest"]);
    assert_eq!(several.status.code(), Some(2));
    assert!(said(&several).contains("one, two"), "{}", said(&several));
    let one = run(dir.path(), &["slack", "manifest", "--surface", "one"]);
    assert!(one.status.success(), "{}", said(&one));
    let two = run(dir.path(), &["slack", "manifest", "--surface", "two"]);
    assert_eq!(two.status.code(), Some(2));
    assert!(said(&two).contains("--url"), "{}", said(&two));
    let url = "https://work.example.org/chat/two";
    let two = run(
        dir.path(),
        &["slack", "manifest", "--surface", "two", "--url", url],
    );
    let made: Value = serde_json::from_slice(&two.stdout).unwrap();
    assert_eq!(made["settings"]["interactivity"]["request_url"], url);
    let none = run(dir.path(), &["slack", "manifest", "--surface", "three"]);
    assert_eq!(none.status.code(), Some(3));
    let open = run(
        dir.path(),
        &["slack", "manifest", "--url", "http://work.example.org/x"],
    );
    assert_eq!(open.status.code(), Some(2));
}
