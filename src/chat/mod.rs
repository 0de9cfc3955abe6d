//! Floor 2, where people read: what is told, where, and in which words.
//!
//! There are two kinds of surface. The webhook is told in parcels ([`parcel`]). A chat ([`port::Chat`]) has rooms with one
//! message a task ([`message::Card`]) and its history in the thread, and people write and press there ([`heard`]). Each is told at
//! its pace ([`pace`]). Whoever tells keeps what could not be told and tells it again under the same key
//! (`service::surface`).

pub mod command;
pub mod console;
pub mod heard;
#[cfg(feature = "matrix")]
pub mod matrix;
pub mod message;
pub mod pace;
pub mod parcel;
pub mod port;
pub mod slack;
pub mod webhook;
pub mod words;

pub use port::{Chat, Deaf, Ear};

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
    /// The message, room or file that it is about is not there any more.
    #[error("{what} is not there any more")]
    Gone {
        /// What.
        what: String,
    },
}
