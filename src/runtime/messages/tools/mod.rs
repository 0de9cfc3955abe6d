//! What the model can do: a shell, a text editor, its work log, and the word with which it ends.
//!
//! Plain custom tools (name, description, schema), so that any Messages-compatible endpoint takes them. Inputs
//! come from a model and are never trusted: a wrong one is answered with what is wrong, and harms nothing.

pub mod bash;
pub mod beneath;
pub mod editor;
pub mod progress;
pub mod text;

mod toolbox;

pub use toolbox::{Finish, Said, Toolbox, schemas};

/// A tool's answer to the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it gave.
    pub text: String,
    /// Whether it failed.
    pub is_error: bool,
}

impl Answer {
    /// A good answer.
    pub fn ok(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_error: false,
        }
    }

    /// A failure; says what is wrong and what to do.
    pub fn error(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_error: true,
        }
    }
}
