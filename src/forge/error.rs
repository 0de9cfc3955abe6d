//! What can go wrong with a forge, sorted by what to do about it.

use chrono::{DateTime, Utc};

/// A forge did not do what it was asked to. No variant holds a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// The settings cannot work.
    #[error("the forge cannot be used: {0}")]
    Settings(String),
    /// 401: the token is none, or not valid any more.
    #[error("{host} does not accept the token ({message}); make a new one and set forge.token")]
    Unauthorised {
        /// The forge.
        host: String,
        /// Its words.
        message: String,
    },
    /// 403 without a limit: the token may not do this.
    #[error("{host} does not let the token {what} ({message}); give it the right to, or have a person do it")]
    Forbidden {
        /// The forge.
        host: String,
        /// What was tried.
        what: String,
        /// Its words.
        message: String,
    },
    /// 404 or 410: it is not there, or the token may not see it.
    #[error(
        "{host} did not {what}: not found; check the repository's address, and that the token may see it"
    )]
    NotFound {
        /// The forge.
        host: String,
        /// What was tried.
        what: String,
    },
    /// 3xx: the repository or the branch has another name now.
    #[error(
        "{host} says that it moved while asked to {what}; correct the repository's address or the branch's name"
    )]
    Moved {
        /// The forge.
        host: String,
        /// What was tried.
        what: String,
    },
    /// 403 or 429 with a limit, or a 503 that says how long: nothing before this time.
    #[error("{host} allows no more requests until {until}; they go on by themselves then")]
    RateLimited {
        /// The forge.
        host: String,
        /// Until when.
        until: DateTime<Utc>,
    },
    /// 409 of a merge: the head is not the commit that was to be merged.
    #[error("the head of the pull request is not {expected} any more; nothing was merged")]
    HeadMoved {
        /// The commit that was to be merged.
        expected: String,
    },
    /// 409: it does not fit what is there.
    #[error("{host} did not {what}, it conflicts ({message}); look at the pull request")]
    Conflict {
        /// The forge.
        host: String,
        /// What was tried.
        what: String,
        /// Its words.
        message: String,
    },
    /// 405 or 423: not as things stand.
    #[error("{host} refused to {what} ({message}); look at the pull request and the repository's rules")]
    Refused {
        /// The forge.
        host: String,
        /// What was tried.
        what: String,
        /// Its words.
        message: String,
    },
    /// 400 or 422: what was sent is not valid there.
    #[error("{host} did not {what}, it takes it for invalid ({message}); look at the pull request")]
    Invalid {
        /// The forge.
        host: String,
        /// What was tried.
        what: String,
        /// Its words.
        message: String,
    },
    /// 5xx: its own trouble.
    #[error("{host} has trouble of its own ({status}) with: {what}; it is tried again")]
    Server {
        /// The forge.
        host: String,
        /// What was tried.
        what: String,
        /// The status.
        status: u16,
    },
    /// Nobody answered, or not to the end.
    #[error("{host} cannot be reached to {what}: {cause}; it is tried again, check the network if it lasts")]
    Network {
        /// The forge.
        host: String,
        /// What was tried.
        what: String,
        /// What happened.
        cause: String,
    },
    /// The answer is none that is known here.
    #[error("{host} gave an answer that cannot be read to: {what} ({cause}); check forge.kind and forge.api")]
    Unreadable {
        /// The forge.
        host: String,
        /// What was tried.
        what: String,
        /// What is wrong with it.
        cause: String,
    },
}

/// What to do after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing before this time, then the same.
    WaitUntil(DateTime<Utc>),
    /// The same, after a growing pause.
    TryAgain,
    /// Look again and decide anew: things are not as they seemed. Several times in a row without any other step, a
    /// person.
    LookAgain,
    /// A person: time does not mend it.
    AskPerson,
}

impl ForgeError {
    /// What to do.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::RateLimited { until, .. } => Remedy::WaitUntil(*until),
            Self::Server { .. } | Self::Network { .. } => Remedy::TryAgain,
            Self::HeadMoved { .. } | Self::Conflict { .. } | Self::Refused { .. } => Remedy::LookAgain,
            Self::Settings(_)
            | Self::Unauthorised { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Moved { .. }
            | Self::Invalid { .. }
            | Self::Unreadable { .. } => Remedy::AskPerson,
        }
    }
}
