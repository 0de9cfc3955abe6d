//! `orchestrator matrix …`, as people type it.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use super::scene::Scene;

async fn run(home: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .args(words)
        .current_dir(home)
        .env("MATRIX_PASSWORD", "pa55 w0rd")
        .env_remove("ORCHESTRATOR_HOME")
        .output()
        .await
        .unwrap()
}

fn said(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}\n{err}"))
}

#[tokio::test]
async fn login_verify_bootstrap_and_an_invitation_that_registers() {
    let Some(scene) = Scene::shared() else {
        return;
    };
    let (bot, owner) = (scene.account("bot").await, scene.account("jane").await);
    let admin = scene.admin("admin").await;
    let home = tempfile::tempdir().unwrap();
    let made = run(home.path(), &["init"]).await;
    assert!(made.status.success(), "{made:?}");
    let file = home.path().join("orchestrator.toml");
    let config = format!(
        "{}\n[chat.home]\nkind = \"matrix\"\nhomeserver = \"{}\"\nuser = \"{}\"\npassword = \"${{MATRIX_PASSWORD}}\"\n\
         owners = [\"{}\"]\nprojects = [\"site\"]\nagents = [\"kevin\"]\n",
        std::fs::read_to_string(&file).unwrap(),
        scene.url,
        bot.id,
        owner.id
    );
    std::fs::write(&file, config).unwrap();
    let none = run(home.path(), &["matrix", "verify", "--surface", "work"]).await;
    assert_eq!(none.status.code(), Some(3), "{none:?}");
    let login = said(&run(home.path(), &["matrix", "login", "--json"]).await);
    assert_eq!(
        (&login["good"], &login["keys"]["user"]),
        (&json!(true), &json!(bot.id))
    );
    let verify = run(home.path(), &["matrix", "verify", "--json"]).await;
    assert_eq!(verify.status.code(), Some(0));
    assert_eq!(said(&verify)["keys"]["device"], login["keys"]["device"]);
    let first = said(&run(home.path(), &["matrix", "bootstrap", "--json"]).await);
    assert_eq!(first["rooms"].as_array().unwrap().len(), 4, "{first}");
    let again = said(&run(home.path(), &["matrix", "bootstrap", "--json"]).await);
    assert_eq!(again, first);
    // The bot is no administrator.
    let refused = run(home.path(), &["matrix", "invite"]).await;
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    std::fs::write(home.path().join("token"), &admin.token).unwrap();
    let invite = run(
        home.path(),
        &["matrix", "invite", "--admin-token", "token", "--json"],
    )
    .await;
    let token = said(&invite)["registration"]["token"].clone();
    for expected in [200, 401] {
        assert_eq!(
            register(&scene, &token).await,
            expected,
            "a token is good for one account"
        );
    }
}

/// Registers an account with a token, in the stages that the specification has for it.
async fn register(scene: &Scene, token: &Value) -> u16 {
    let path = "/_matrix/client/v3/register";
    let name = uuid::Uuid::new_v4().simple().to_string();
    let mut wanted = json!({"username": name, "password": "pa55 w0rd"});
    let (_, asked) = scene.request("", "POST", path, wanted.clone()).await;
    let mut status = 0;
    for kind in ["m.login.registration_token", "m.login.dummy"] {
        wanted["auth"] = json!({"type": kind, "token": token, "session": asked["session"]});
        (status, _) = scene.request("", "POST", path, wanted.clone()).await;
    }
    status
}
