//! What is used of Slack, and what of the workspace's leave each use needs.
//!
//! Invariant: this is the one list of both. Calls are made through [`Method`], and the app's manifest is made from the same
//! table, so an app that was created from it can do what the code does and nothing besides.
//! Sources: the pages of the methods and events at <https://docs.slack.dev/reference>.

use std::collections::BTreeSet;

/// A method of the Web API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// Who the token is.
    AuthTest,
    /// Where Socket Mode is to be spoken; the one method of the app's own token.
    ConnectionsOpen,
    /// A new message.
    PostMessage,
    /// Other words in an old one.
    Update,
    /// A message that one person sees.
    PostEphemeral,
    /// A reaction.
    ReactionsAdd,
    /// The newest messages of a channel.
    History,
    /// The messages of a thread.
    Replies,
    /// An account.
    UsersRead,
    /// Where a file is to be put.
    UploadUrl,
    /// Shows a file that was put there.
    CompleteUpload,
}

impl Method {
    /// All.
    pub(super) const ALL: [Self; 11] = [
        Self::AuthTest,
        Self::ConnectionsOpen,
        Self::PostMessage,
        Self::Update,
        Self::PostEphemeral,
        Self::ReactionsAdd,
        Self::History,
        Self::Replies,
        Self::UsersRead,
        Self::UploadUrl,
        Self::CompleteUpload,
    ];

    /// Its name in the API.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AuthTest => "auth.test",
            Self::ConnectionsOpen => "apps.connections.open",
            Self::PostMessage => "chat.postMessage",
            Self::Update => "chat.update",
            Self::PostEphemeral => "chat.postEphemeral",
            Self::ReactionsAdd => "reactions.add",
            Self::History => "conversations.history",
            Self::Replies => "conversations.replies",
            Self::UsersRead => "users.info",
            Self::UploadUrl => "files.getUploadURLExternal",
            Self::CompleteUpload => "files.completeUploadExternal",
        }
    }

    /// The scopes of the bot's token that it needs. Of the histories one is needed for each kind of channel.
    pub(super) fn scopes(self) -> &'static [&'static str] {
        match self {
            // The app's token has the scope `connections:write`, which no manifest can ask for.
            Self::AuthTest | Self::ConnectionsOpen => &[],
            Self::PostMessage | Self::Update | Self::PostEphemeral => &["chat:write"],
            Self::ReactionsAdd => &["reactions:write"],
            Self::History | Self::Replies => &["channels:history", "groups:history", "im:history"],
            Self::UsersRead => &["users:read"],
            Self::UploadUrl | Self::CompleteUpload => &["files:write"],
        }
    }
}

/// The events that are subscribed to, with the scope of each.
pub(super) const EVENTS: [(&str, &str); 4] = [
    ("app_mention", "app_mentions:read"),
    ("message.channels", "channels:history"),
    ("message.groups", "groups:history"),
    ("message.im", "im:history"),
];

/// What needs a scope and is no method: the slash command, and files that came with messages.
const BESIDES: [&str; 2] = ["commands", "files:read"];

/// Every scope of the bot's token, sorted.
pub(super) fn scopes() -> BTreeSet<&'static str> {
    let methods = Method::ALL.iter().flat_map(|method| method.scopes()).copied();
    let events = EVENTS.iter().map(|(_, scope)| *scope);
    methods.chain(events).chain(BESIDES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each method of the table is called somewhere in the adapter: none asks for leave that nothing needs.
    #[test]
    fn every_method_of_the_table_is_called() {
        let sources = [
            include_str!("api.rs"),
            include_str!("account.rs"),
            include_str!("answer.rs"),
            include_str!("canary.rs"),
            include_str!("file.rs"),
            include_str!("post.rs"),
            include_str!("socket.rs"),
            include_str!("../slack.rs"),
        ];
        for method in Method::ALL {
            let word = format!("Method::{method:?}");
            let called = |source: &&str| {
                source.match_indices(&word).any(|(at, _)| {
                    let after = source[at + word.len()..].chars().next();
                    after.is_none_or(|c| !c.is_alphanumeric())
                })
            };
            assert!(sources.iter().any(called), "{word} is called nowhere");
        }
    }

    #[test]
    fn the_scopes_are_these() {
        let all: Vec<_> = scopes().into_iter().collect();
        assert_eq!(
            all,
            [
                "app_mentions:read",
                "channels:history",
                "chat:write",
                "commands",
                "files:read",
                "files:write",
                "groups:history",
                "im:history",
                "reactions:write",
                "users:read",
            ]
        );
    }
}
