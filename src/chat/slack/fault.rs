//! What Slack's answers mean, by what to do about them.

use std::time::Duration;

use crate::chat::ChatError;

/// The longest pause that is believed.
const LONGEST: Duration = Duration::from_hours(1);
/// The pause where none is named.
pub(super) const UNSAID: Duration = Duration::from_secs(30);

/// Why a call had no success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// It wants to be left alone for so long.
    #[error("it asks for a pause of {} s", .0.as_secs())]
    Limited(Duration),
    /// It cannot be reached, or it is not known whether it was told.
    #[error("{0}")]
    Away(String),
    /// It will not do this.
    #[error("{0}")]
    Refused(String),
    /// An error by its code in the API.
    #[error("Slack refused {method}: {code}")]
    Said {
        /// The method.
        method: &'static str,
        /// The code.
        code: String,
        /// The scope that is missing, where it said so.
        needed: Option<String>,
    },
}

impl Fault {
    /// Whether it is this code of the API.
    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Said { code, .. } if code == wanted)
    }
}

impl From<Fault> for ChatError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Limited(after) => Self::Limited {
                after: after.min(LONGEST),
            },
            Fault::Away(why) => Self::Away { why },
            Fault::Refused(why) => Self::Refused { why },
            Fault::Said { method, code, needed } => said(method, &code, needed),
        }
    }
}

/// By the lists of errors on the pages of the methods.
fn said(method: &'static str, code: &str, needed: Option<String>) -> ChatError {
    match code {
        "ratelimited" | "rate_limited" => ChatError::Limited { after: UNSAID },
        "internal_error"
        | "fatal_error"
        | "service_unavailable"
        | "request_timeout"
        | "team_added_to_org" => ChatError::Away {
            why: format!("Slack could not do {method}: {code}"),
        },
        "message_not_found" => gone("the message"),
        "thread_not_found" => gone("the thread"),
        "channel_not_found" | "is_archived" => gone("the channel"),
        "file_not_found" | "file_deleted" => gone("the file"),
        _ => {
            let hint = hint(code, needed.as_deref());
            ChatError::Refused {
                why: format!("Slack refused {method}: {}{hint}", shown(code)),
            }
        }
    }
}

fn gone(what: &str) -> ChatError {
    ChatError::Gone {
        what: what.to_owned(),
    }
}

/// Codes and scopes are made of these; of anything else no more than that is shown.
fn shown(code: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | ',' | '.');
    code.chars().filter(plain).take(80).collect()
}

/// What to do about it, where a person can.
fn hint(code: &str, needed: Option<&str>) -> String {
    let hint = match code {
        "not_in_channel" | "channel_not_member" => "invite the app: /invite @NAME in that channel",
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" => {
            "install the app again and write its new token into the configuration"
        }
        "not_allowed_token_type" => "bot_token begins with xoxb-, app_token with xapp-",
        "missing_scope" => {
            let scope = needed.map(shown).unwrap_or_default();
            return format!(
                "; the app lacks {scope}: give it the manifest of `orchestrator slack manifest` and install it again"
            );
        }
        _ => return String::new(),
    };
    format!("; {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(code: &str) -> ChatError {
        Fault::Said {
            method: "chat.update",
            code: code.to_owned(),
            needed: Some("chat:write".to_owned()),
        }
        .into()
    }

    #[test]
    fn errors_by_what_to_do() {
        for code in [
            "message_not_found",
            "channel_not_found",
            "is_archived",
            "thread_not_found",
        ] {
            assert!(matches!(meant(code), ChatError::Gone { .. }), "{code}");
        }
        for code in [
            "internal_error",
            "fatal_error",
            "service_unavailable",
            "request_timeout",
        ] {
            assert!(matches!(meant(code), ChatError::Away { .. }), "{code}");
        }
        for code in ["ratelimited", "rate_limited"] {
            assert_eq!(meant(code), ChatError::Limited { after: UNSAID }, "{code}");
        }
        for code in [
            "invalid_auth",
            "msg_too_long",
            "invalid_blocks",
            "cant_update_message",
            "anything else",
        ] {
            assert!(matches!(meant(code), ChatError::Refused { .. }), "{code}");
        }
    }

    #[test]
    fn a_pause_is_believed_for_an_hour_at_most() {
        let day = Fault::Limited(Duration::from_hours(24));
        assert_eq!(ChatError::from(day), ChatError::Limited { after: LONGEST });
    }

    #[test]
    fn what_a_person_can_do_is_said() {
        for (code, word) in [
            ("not_in_channel", "/invite"),
            ("invalid_auth", "install the app again"),
            ("missing_scope", "chat:write"),
        ] {
            let said = meant(code).to_string();
            assert!(said.contains(word), "{said}");
        }
    }

    #[test]
    fn a_code_is_shown_as_one() {
        let said = meant("x\u{1b}[31m\n<html>").to_string();
        assert_eq!(said, "Slack refused chat.update: x31mhtml");
    }
}
