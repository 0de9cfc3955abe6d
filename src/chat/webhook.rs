//! The webhook: parcels as signed HTTP requests, for whatever has no surface of its own.
//!
//! By the conventions of <https://www.standardwebhooks.com>: `webhook-id` is the same for every try, so that a receiver can
//! drop a double; `webhook-signature` is HMAC-SHA256 over id, time and body. Redirects are not followed.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;

use super::parcel::{Item, Parcel};
use super::{ChatError, words};
use crate::format::retry_after::retry_after;

/// What a secret begins with that is given as base64.
const ENCODED: &str = "whsec_";
/// The longest pause that is believed.
const LONGEST: Duration = Duration::from_hours(1);
/// The pause where none is named.
const UNSAID: Duration = Duration::from_secs(30);

/// A receiver of webhooks.
pub struct Webhook {
    http: reqwest::Client,
    url: String,
    key: Vec<u8>,
}

impl Webhook {
    /// A receiver that answers within `patience`.
    ///
    /// # Errors
    /// A sentence, where its secret is no base64 or no client can be made.
    pub fn new(url: &str, secret: &SecretString, patience: Duration) -> Result<Self, String> {
        let mut builder = reqwest::Client::builder()
            .timeout(patience)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        if url.starts_with("http://") {
            // Without TLS no certificates are needed, and a machine without any must work too.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self {
            http: builder.build().map_err(|error| error.to_string())?,
            url: url.to_owned(),
            key: key(secret)?,
        })
    }

    /// Sends a parcel at `now`.
    ///
    /// # Errors
    /// [`ChatError`]; every answer but 2xx is one.
    pub async fn tell(&self, parcel: &Parcel, now: DateTime<Utc>) -> Result<(), ChatError> {
        let id = parcel.key();
        let at = now.timestamp();
        let body = body(parcel).to_string();
        let request = self
            .http
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("orchestrator/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &id)
            .header("webhook-timestamp", at.to_string())
            .header("webhook-signature", signature(&self.key, &id, at, &body))
            .body(body);
        let answer = request.send().await.map_err(|error| ChatError::Away {
            why: without_address(error),
        })?;
        let pause = answer.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok());
        let pause = pause.and_then(|text| retry_after(text, now));
        judge(
            answer.status(),
            pause.and_then(|until| (until - now).to_std().ok()),
        )
    }
}

/// What an answer means.
fn judge(status: StatusCode, pause: Option<Duration>) -> Result<(), ChatError> {
    let why = format!("it answered {status}");
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::TOO_MANY_REQUESTS => Err(ChatError::Limited {
            after: pause.unwrap_or(UNSAID).min(LONGEST),
        }),
        StatusCode::SERVICE_UNAVAILABLE if pause.is_some() => Err(ChatError::Limited {
            after: pause.unwrap_or(UNSAID).min(LONGEST),
        }),
        StatusCode::REQUEST_TIMEOUT => Err(ChatError::Away { why }),
        _ if status.is_server_error() => Err(ChatError::Away { why }),
        _ => Err(ChatError::Refused { why }),
    }
}

/// What went wrong, with its causes and without the address, which may hold a token.
fn without_address(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(deeper) = cause {
        said = format!("{said}: {deeper}");
        cause = deeper.source();
    }
    said
}

fn key(secret: &SecretString) -> Result<Vec<u8>, String> {
    let secret = secret.expose_secret();
    match secret.strip_prefix(ENCODED) {
        None => Ok(secret.as_bytes().to_vec()),
        Some(encoded) => BASE64_STANDARD
            .decode(encoded.trim())
            .map_err(|_| format!("the secret begins with {ENCODED} and is not followed by base64")),
    }
}

/// `v1,` and the base64 of HMAC-SHA256 over `id.time.body`.
fn signature(key: &[u8], id: &str, at: i64, body: &str) -> String {
    // HMAC takes keys of every length (RFC 2104, section 2).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(body.as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

fn body(parcel: &Parcel) -> Value {
    let (kind, at, data) = match parcel {
        Parcel::Report(item) => (
            format!("task.{}", item.report.word()),
            Some(item.at),
            report(item),
        ),
        Parcel::Digest(items) => (
            "digest".to_owned(),
            items.last().map(|item| item.at),
            json!({
                "text": words::digest(items),
                "reports": items.iter().map(report).collect::<Vec<_>>(),
            }),
        ),
    };
    json!({ "version": 1, "type": kind, "timestamp": at.map(time), "data": data })
}

fn report(item: &Item) -> Value {
    json!({
        "key": item.key,
        "at": time(item.at),
        "task": item.task.as_str(),
        "text": words::line(&item.task, &item.report),
        "report": item.report,
    })
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
    #[test]
    fn the_signature_of_the_specification() {
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = signature(
            &key(&secret).unwrap(),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets() {
        assert_eq!(key(&SecretString::from("plain")).unwrap(), b"plain");
        assert!(key(&SecretString::from("whsec_%%%")).is_err());
    }

    #[test]
    fn answers() {
        let minute = Some(Duration::from_mins(1));
        let limited = |after| Err(ChatError::Limited { after });
        for (status, pause, expected) in [
            (200, None, Ok(())),
            (204, minute, Ok(())),
            (429, minute, limited(Duration::from_mins(1))),
            (429, None, limited(UNSAID)),
            (429, Some(Duration::from_hours(50)), limited(LONGEST)),
            (503, minute, limited(Duration::from_mins(1))),
        ] {
            assert_eq!(
                judge(StatusCode::from_u16(status).unwrap(), pause),
                expected,
                "{status}"
            );
        }
        for status in [408, 500, 502, 503, 504] {
            let judged = judge(StatusCode::from_u16(status).unwrap(), None);
            assert!(matches!(judged, Err(ChatError::Away { .. })), "{status}");
        }
        for status in [301, 400, 401, 404, 410] {
            let judged = judge(StatusCode::from_u16(status).unwrap(), None);
            assert!(matches!(judged, Err(ChatError::Refused { .. })), "{status}");
        }
    }
}
