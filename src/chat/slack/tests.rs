use std::path::Path;

use super::*;
use crate::config::section::ChatKind;
use crate::config::{Environment, parse};

/// A workspace whose API is there.
pub(super) fn settings(api: &str) -> Settings {
    settings_with(api, "app_token = \"xapp-1\"\nsigning_secret = \"s3cret\"\n").unwrap()
}

fn settings_with(api: &str, secrets: &str) -> Option<Settings> {
    let text = format!(
        "[chat.slack]\nkind = \"slack\"\nbot_token = \"xoxb-1\"\nteam = \"T1\"\nchannel = \"C1\"\napi = \"{api}\"\n{secrets}"
    );
    let loaded = parse(
        Path::new("orchestrator.toml"),
        &text,
        &Environment::default(),
        &[],
    )
    .ok()?;
    let (_, chat) = loaded.config.chat.into_iter().next()?;
    match chat.kind {
        ChatKind::Slack(slack) => Some(*slack),
        _ => None,
    }
}

#[test]
fn an_empty_secret_makes_no_surface() {
    let api = "https://slack.com/api";
    for secrets in [
        "signing_secret = \"\"\n",
        "signing_secret = \" \"\n",
        "signing_secret = \"${NO}\"\n",
        "app_token = \"\"\n",
        "app_token = \"xapp 1\"\n",
    ] {
        // Some of them the configuration refuses itself.
        let made = settings_with(api, secrets).map(|settings| Slack::new(&settings, Duration::from_secs(1)));
        assert!(!matches!(made, Some(Ok(_))), "{secrets}");
    }
    assert!(Slack::new(&settings(api), Duration::from_secs(1)).is_ok());
}
