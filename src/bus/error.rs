//! Why the bus did not do what was asked, by what the caller can do about it.

/// A failure of the bus. No text of it holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The server is away, or was lost while it was asked: what was asked may have happened. Do without, and go on.
    #[error("the bus is away: {why}")]
    Away {
        /// What was seen.
        why: String,
    },
    /// No more is taken in. Come back later, with less.
    #[error("{what} is full: {why}")]
    Full {
        /// The stream, the journal, or the server.
        what: String,
        /// Which bound was reached, and what helps.
        why: String,
    },
    /// It will be refused again: a mistake in the request, or a permission that is missing.
    #[error("the bus refuses: {why}")]
    Refused {
        /// What was said.
        why: String,
    },
}

impl BusError {
    pub(super) fn away(why: impl Into<String>) -> Self {
        Self::Away { why: why.into() }
    }

    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }

    /// A bound of our own on what waits.
    pub(super) fn bound(what: &str, most: usize) -> Self {
        Self::Full {
            what: format!("'{what}'"),
            why: format!("{most} wait already; those who take from it are behind, or away"),
        }
    }
}
