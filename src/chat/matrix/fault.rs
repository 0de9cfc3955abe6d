//! What the library's errors mean for whoever tells: later, never, or not there any more.
//!
//! Invariants: no token and no password is in a text; a pause is believed up to an hour.

use std::time::{Duration, SystemTime};

use matrix_sdk::encryption::recovery::RecoveryError;
use matrix_sdk::ruma::api::error::{ErrorKind, RetryAfter};
use matrix_sdk::{Error, HttpError};

use crate::chat::ChatError;

/// The longest pause that is believed.
const LONGEST: Duration = Duration::from_hours(1);
/// The pause where none is named.
const UNSAID: Duration = Duration::from_secs(5);

/// An error of the library, for `what` was tried.
pub(super) fn of(what: &str, error: &Error) -> ChatError {
    match error {
        Error::Http(error) => of_http(what, error),
        Error::WrongRoomState(_) => ChatError::Gone {
            what: format!("{what}: the room, or the account's place in it,"),
        },
        other => away(what, &other.to_string()),
    }
}

/// An error of one request.
pub(super) fn of_http(what: &str, error: &HttpError) -> ChatError {
    let Some(answer) = error.as_client_api_error() else {
        return away(what, &plain(error));
    };
    let why = format!("{what}: {answer}");
    match (answer.error_kind(), answer.status_code.as_u16()) {
        (Some(ErrorKind::LimitExceeded(limit)), _) => ChatError::Limited {
            after: pause(limit.retry_after.as_ref()),
        },
        (_, 429) => ChatError::Limited { after: UNSAID },
        (Some(ErrorKind::UnknownToken(_) | ErrorKind::MissingToken), _) => ChatError::Away { why },
        (Some(ErrorKind::NotFound), _) | (_, 404) => ChatError::Gone {
            what: what.to_owned(),
        },
        (_, 408 | 500..) => ChatError::Away { why },
        _ => ChatError::Refused { why },
    }
}

/// An error of what keeps the account's keys.
pub(super) fn of_recovery(what: &str, error: &RecoveryError) -> ChatError {
    match error {
        RecoveryError::Sdk(error) => of(what, error),
        other => ChatError::Refused {
            why: format!("{what}: {other}"),
        },
    }
}

/// Whether the server does not know the device any more.
pub(super) fn is_logged_out(kind: Option<&ErrorKind>) -> bool {
    matches!(kind, Some(ErrorKind::UnknownToken(_) | ErrorKind::MissingToken))
}

/// Whether an alias is taken already.
pub(super) fn is_taken(error: &Error) -> bool {
    let answer = error.as_client_api_error();
    // Synapse says 409 where somebody was quicker by less than it takes to make a room.
    answer.is_some_and(|answer| {
        matches!(answer.error_kind(), Some(ErrorKind::RoomInUse)) || answer.status_code.as_u16() == 409
    })
}

/// Whether that very reaction is there already.
pub(super) fn is_repeated(error: &Error) -> bool {
    let code = error
        .client_api_error_kind()
        .map(|kind| kind.errcode().to_string());
    code.is_some_and(|code| code.ends_with("DUPLICATE_ANNOTATION"))
}

/// Something that may work the next time.
pub(super) fn away(what: &str, why: &str) -> ChatError {
    ChatError::Away {
        why: format!("{what}: {why}"),
    }
}

/// What went wrong, with its causes and without the address.
fn plain(error: &HttpError) -> String {
    let HttpError::Reqwest(error) = error else {
        return error.to_string();
    };
    let mut said = match error.is_timeout() {
        true => "it did not answer in time".to_owned(),
        false => "it cannot be reached".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        said = format!("{said}: {deeper}");
        cause = deeper.source();
    }
    said
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server names a time of the wall clock"
)]
fn pause(after: Option<&RetryAfter>) -> Duration {
    let pause = match after {
        Some(RetryAfter::Delay(delay)) => *delay,
        Some(RetryAfter::DateTime(at)) => at.duration_since(SystemTime::now()).unwrap_or_default(),
        None => UNSAID,
    };
    pause.clamp(Duration::from_millis(100), LONGEST)
}
