//! Whether Slack made a request, by <https://docs.slack.dev/authentication/verifying-requests-from-slack>. Pure.
//!
//! The signature is over the bytes as they came, compared in constant time, and good for five minutes. The library's own
//! verifier is not used: it takes the time from the host's clock and the body as text, and its error has shown, in some
//! versions, the signature that would have been right. Here there is one answer, without a reason.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::chat::port::Request;
use crate::config::Secret;

/// How old, or how far ahead, a request may be, in seconds.
const YOUNG: i64 = 300;
const SIGNATURE: &str = "x-slack-signature";
const TIMESTAMP: &str = "x-slack-request-timestamp";

/// What requests are signed with.
pub(super) struct Signing {
    secret: SecretString,
}

impl Signing {
    /// By the configuration.
    ///
    /// # Errors
    /// A sentence, where the secret is missing or empty: with an empty one everybody could sign.
    pub(super) fn new(secret: &Secret) -> Result<Self, String> {
        let secret = secret.value().map_err(ToString::to_string)?;
        match secret.expose_secret().trim().is_empty() {
            true => Err("signing_secret is empty: whoever liked could sign; set it again".to_owned()),
            false => Ok(Self {
                secret: secret.clone(),
            }),
        }
    }

    /// Whether Slack made it, just now.
    pub(super) fn accepts(&self, request: &Request) -> bool {
        let (Some(stamp), Some(signature)) = (only(request, TIMESTAMP), only(request, SIGNATURE)) else {
            return false;
        };
        is_young(stamp, request.at) && self.signed(stamp, signature, &request.body)
    }

    fn signed(&self, stamp: &str, signature: &str, body: &[u8]) -> bool {
        let Some(given) = signature.strip_prefix("v0=").and_then(bytes) else {
            return false;
        };
        // HMAC takes keys of every length (RFC 2104, section 2).
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes()) else {
            return false;
        };
        for part in [b"v0:", stamp.as_bytes(), b":", body] {
            mac.update(part);
        }
        mac.verify_slice(&given).is_ok()
    }
}

/// The value of a header that came once.
fn only<'a>(request: &'a Request, wanted: &str) -> Option<&'a str> {
    let mut values = request
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let (_, value) = values.next()?;
    values.next().is_none().then_some(value)
}

/// Digits alone: no sign, no space, no fraction.
fn is_young(stamp: &str, now: DateTime<Utc>) -> bool {
    if stamp.is_empty() || !stamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let Ok(stamp) = stamp.parse::<i64>() else {
        return false;
    };
    now.timestamp().saturating_sub(stamp).unsigned_abs() <= YOUNG.unsigned_abs()
}

/// The bytes that lower case hexadecimal digits stand for.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    hex.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests;
