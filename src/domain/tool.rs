//! What a worker may be given to work with, in words that mean the same for every runtime.

use serde::{Deserialize, Serialize};

/// A kind of tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// Looking at files.
    Read,
    /// Changing files.
    Edit,
    /// Running commands.
    Bash,
    /// Looking things up on the web.
    Web,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Edit, Self::Bash, Self::Web];

    /// The word in files of people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Edit => "edit",
            Self::Bash => "bash",
            Self::Web => "web",
        }
    }

    /// The tool of a word, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        let is = |tool: &Self| tool.as_str().eq_ignore_ascii_case(word.trim());
        Self::ALL.into_iter().find(is)
    }
}
