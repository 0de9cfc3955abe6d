//! Registration tokens: how people come to an account on a homeserver that is not open to everybody, by the admin API of
//! Synapse (<https://element-hq.github.io/synapse/latest/usage/administration/admin_api/registration_tokens.html>).

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::chat::ChatError;

/// A token that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registration {
    /// The token.
    pub token: String,
    /// How many accounts it is good for; none: any number.
    pub uses: Option<u32>,
    /// Until when.
    pub expires: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Made {
    token: String,
}

/// Makes a token.
///
/// # Errors
/// [`ChatError::Refused`] where the account is no administrator of the homeserver.
pub async fn make(
    homeserver: &str,
    admin: &SecretString,
    uses: Option<u32>,
    expires: Option<DateTime<Utc>>,
    timeout: Duration,
) -> Result<Registration, ChatError> {
    let away = |error: reqwest::Error| ChatError::Away {
        why: format!("asking for a registration token: {}", error.without_url()),
    };
    let mut builder = reqwest::Client::builder().timeout(timeout);
    if homeserver.starts_with("http://") {
        // Without TLS no certificates are needed, and a machine without any must work too.
        builder = builder.tls_certs_only([]);
    }
    let url = format!(
        "{}/_synapse/admin/v1/registration_tokens/new",
        homeserver.trim_end_matches('/')
    );
    let wanted = json!({ "uses_allowed": uses, "expiry_time": expires.map(|at| at.timestamp_millis()) });
    let request = builder
        .build()
        .map_err(away)?
        .post(url)
        .bearer_auth(admin.expose_secret());
    let answer = request.json(&wanted).send().await.map_err(away)?;
    let status = answer.status();
    if !status.is_success() {
        let said: Value = answer.json().await.unwrap_or_default();
        let said = said["error"].as_str().unwrap_or("no reason given").to_owned();
        let why = format!("the homeserver makes no registration token ({status}): {said}");
        return Err(match status.is_server_error() {
            true => ChatError::Away { why },
            false => ChatError::Refused { why },
        });
    }
    let made: Made = answer.json().await.map_err(away)?;
    Ok(Registration {
        token: made.token,
        uses,
        expires,
    })
}
