//! `[runtimes.NAME]` with `kind = "acp"`: an agent that speaks the Agent Client Protocol.

use std::num::NonZeroU32;

use crate::config::reader::Section;
use crate::config::setting::words;

/// Settings of an `acp` runtime.
#[derive(Debug, Clone)]
pub struct Acp {
    /// The agent's program and its arguments.
    pub command: Vec<String>,
    /// What it may do without a person.
    pub permission: Permission,
    /// The way to sign in, by the agent's name for it.
    pub auth_method: Option<String>,
    /// Turns an attempt may take, for agents that count them.
    pub max_turns: Option<NonZeroU32>,
}

/// What an agent's questions are answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Yes where the orchestrator contains the worker; else yes to reading alone.
    Contained,
    /// Yes, contained or not.
    All,
    /// Yes to reading and to changes of files in the workspace.
    Edit,
    /// Yes to reading.
    ReadOnly,
    /// No.
    Deny,
}

words!(Permission {
    "contained" => Contained,
    "all" => All,
    "edit" => Edit,
    "read-only" => ReadOnly,
    "deny" => Deny,
});

/// As much as the walls around it allow.
fn permission() -> Permission {
    Permission::Contained
}

impl Acp {
    pub(super) fn read(section: &mut Section<'_, '_>, command: Vec<String>) -> Self {
        Self {
            command,
            permission: section.get("permission", permission),
            auth_method: section.maybe("auth_method"),
            max_turns: section.maybe("max_turns"),
        }
    }
}
