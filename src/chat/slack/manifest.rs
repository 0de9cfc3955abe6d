//! The app's manifest: what people paste to make the app, with exactly the scopes and events that the code uses. Pure.
//!
//! Source: <https://docs.slack.dev/reference/app-manifest>.

use serde_json::{Value, json};

use super::method::{EVENTS, scopes};

/// The slash command.
pub const COMMAND: &str = "/orchestrator";

/// How Slack reaches us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way<'a> {
    /// By a socket that we open.
    Socket,
    /// By requests to this address.
    Requests(&'a str),
}

/// The manifest of an app of this name.
pub fn manifest(name: &str, way: Way<'_>) -> Value {
    let name: String = name.chars().take(35).collect();
    let events: Vec<&str> = EVENTS.iter().map(|(event, _)| *event).collect();
    let mut command = json!({
        "command": COMMAND,
        "description": "Steer the fleet: try help",
        "usage_hint": "status | why TASK | pause TASK | help",
        "should_escape": true,
    });
    let mut subscribed = json!({ "bot_events": events });
    let mut interactivity = json!({ "is_enabled": true });
    if let Way::Requests(url) = way {
        command["url"] = url.into();
        subscribed["request_url"] = url.into();
        interactivity["request_url"] = url.into();
    }
    json!({
        "_metadata": { "major_version": 2, "minor_version": 1 },
        "display_information": {
            "name": name,
            "description": "Shows what the fleet does, and takes orders from whoever may give them.",
            "background_color": "#1d2b3a",
        },
        "features": {
            "app_home": { "home_tab_enabled": false, "messages_tab_enabled": true, "messages_tab_read_only_enabled": false },
            "bot_user": { "display_name": name, "always_online": false },
            "slash_commands": [command],
        },
        "oauth_config": { "scopes": { "bot": scopes() } },
        "settings": {
            "event_subscriptions": subscribed,
            "interactivity": interactivity,
            "org_deploy_enabled": false,
            "socket_mode_enabled": way == Way::Socket,
            "token_rotation_enabled": false,
        },
    })
}

#[cfg(test)]
mod tests {
    use slack_morphism::SlackAppManifest;

    use super::*;

    #[test]
    fn by_socket() {
        let made = manifest("Orchestrator", Way::Socket);
        insta::assert_snapshot!(serde_json::to_string_pretty(&made).unwrap());
    }

    #[test]
    fn by_requests() {
        let url = "https://work.example.org/chat/slack";
        let made = manifest("Orchestrator", Way::Requests(url));
        for place in [
            "/features/slash_commands/0/url",
            "/settings/event_subscriptions/request_url",
            "/settings/interactivity/request_url",
        ] {
            assert_eq!(made.pointer(place).and_then(Value::as_str), Some(url), "{place}");
        }
        assert_eq!(made["settings"]["socket_mode_enabled"], false);
    }

    /// The library's model of a manifest knows every key that both have.
    #[test]
    fn it_is_a_manifest() {
        let read: SlackAppManifest = serde_json::from_value(manifest("x", Way::Socket)).unwrap();
        let scopes_of = read.oauth_config.unwrap().scopes.unwrap().bot.unwrap();
        let named: Vec<String> = scopes_of.into_iter().map(|scope| scope.0).collect();
        assert_eq!(named, scopes().into_iter().collect::<Vec<_>>());
        assert_eq!(read.settings.unwrap().socket_mode_enabled, Some(true));
    }

    #[test]
    fn a_long_name_is_cut() {
        let made = manifest(&"n".repeat(80), Way::Socket);
        assert_eq!(
            made["display_information"]["name"].as_str().map(str::len),
            Some(35)
        );
    }
}
