//! Requests that Slack makes of us: events, interactions and slash commands at one address.
//!
//! Invariant: nothing of a request is looked at before its signature held; whatever is wrong is answered by a bare 401.

use serde_json::{Map, Value, json};

use super::Slack;
use super::take::Parcel;
use super::wire::Callback;
use crate::chat::port::{Ear, Reply, Request};

/// What a signed body holds.
#[derive(Debug)]
enum Body {
    /// Slack tries the address: this is to be sent back.
    Challenge(String),
    /// Something for the ear.
    Parcel(Parcel),
    /// Nothing to do.
    Nothing,
}

impl Slack {
    pub(super) async fn take_request(&self, request: &Request, ear: &dyn Ear) -> Reply {
        let Some(signing) = &self.signing else {
            return bare(404);
        };
        if !signing.accepts(request) {
            return bare(401);
        }
        match body(&request.body) {
            None => bare(400),
            Some(Body::Nothing) => bare(200),
            Some(Body::Challenge(challenge)) => Reply {
                status: 200,
                body: json!({ "challenge": challenge }).to_string(),
            },
            Some(Body::Parcel(parcel)) => match self.take(parcel, ear).await {
                Ok(()) => bare(200),
                Err(deaf) => {
                    tracing::warn!(%deaf, "Slack is to deliver an event again");
                    bare(503)
                }
            },
        }
    }
}

fn bare(status: u16) -> Reply {
    Reply {
        status,
        body: String::new(),
    }
}

/// JSON is an event; a form holds an interaction in `payload`, or is a slash command itself.
fn body(bytes: &[u8]) -> Option<Body> {
    if bytes.first() == Some(&b'{') {
        let callback: Callback = serde_json::from_slice(bytes).ok()?;
        return Some(match (callback.kind.as_str(), callback.challenge) {
            ("url_verification", Some(challenge)) => Body::Challenge(challenge),
            ("event_callback", _) => Body::Parcel(Parcel::Event(callback.event)),
            _ => Body::Nothing,
        });
    }
    let fields: Map<String, Value> = form_urlencoded::parse(bytes)
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect();
    match fields.get("payload").and_then(Value::as_str) {
        Some(payload) => {
            let payload = serde_json::from_str(payload).ok()?;
            Some(Body::Parcel(Parcel::Interaction(payload)))
        }
        None if fields.contains_key("command") => Some(Body::Parcel(Parcel::Command(Value::Object(fields)))),
        // Slack tries certificates with `ssl_check=1`.
        None => Some(Body::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_by_their_form() {
        assert!(matches!(
            body(br#"{"type":"url_verification","challenge":"c"}"#),
            Some(Body::Challenge(c)) if c == "c"
        ));
        let event = body(br#"{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}"#);
        assert!(matches!(event, Some(Body::Parcel(Parcel::Event(_)))));
        let press = body(b"payload=%7B%22type%22%3A%22block_actions%22%7D");
        assert!(matches!(press, Some(Body::Parcel(Parcel::Interaction(v))) if v["type"] == "block_actions"));
        let command = body(b"command=%2Fx&text=a+%26+b&user_id=U1");
        assert!(matches!(command, Some(Body::Parcel(Parcel::Command(v))) if v["text"] == "a & b"));
        assert!(matches!(
            body(br#"{"type":"app_rate_limited"}"#),
            Some(Body::Nothing)
        ));
        assert!(matches!(body(b"ssl_check=1"), Some(Body::Nothing)));
        assert!(body(b"payload=%7B").is_none() && body(b"{").is_none());
    }
}
