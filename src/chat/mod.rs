//! Floor 2, where people read: what is told, where, and in which words.
//!
//! A surface is told in parcels ([`parcel`]), at its pace ([`pace`]). Whoever tells keeps what could not be told and tells
//! it again under the same key (`service::courier`). Deliberately absent: a trait for surfaces. What is told in
//! parcels is one, the webhook; the trait comes with the second.

pub mod console;
pub mod pace;
pub mod parcel;
pub mod webhook;
pub mod words;

use std::time::Duration;

/// Why a surface was not told, by what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// It wants to be left alone.
    #[error("it asks for a pause of {} s", after.as_secs())]
    Limited {
        /// For how long.
        after: Duration,
    },
    /// It cannot be reached now, or it is not known whether it was told.
    #[error("{why}")]
    Away {
        /// What went wrong.
        why: String,
    },
    /// It does not take this.
    #[error("{why}")]
    Refused {
        /// What it said.
        why: String,
    },
}
