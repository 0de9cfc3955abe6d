//! What an agent may do without a person: a pure policy over the questions that it asks.
//!
//! Invariant: an answer holds once. A lasting permission would be written into the agent's own settings and outlive
//! the attempt. The kinds and places are the agent's own words, so the policy guides an honest agent; what holds a
//! dishonest one is the sandbox around it.

use std::path::{Component, Path};

use agent_client_protocol::v1::schema::{
    PermissionOption, PermissionOptionId, PermissionOptionKind, ToolKind,
};
use serde::{Deserialize, Serialize};

/// What is answered with yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Everything where the orchestrator contains the worker; else reading alone.
    Contained,
    /// Everything, contained or not.
    All,
    /// Reading, and changes of files in the workspace; no commands.
    Edit,
    /// Reading, searching and thinking.
    ReadOnly,
    /// Nothing but the agent verbs.
    Deny,
}

/// What the agent asks for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The tool, as its calls are named.
    pub tool: &'a str,
    /// The kind of tool.
    pub kind: ToolKind,
    /// Files that it names; absolute.
    pub places: &'a [std::path::PathBuf],
}

impl Permission {
    /// Whether the question is answered with yes; else why not, for people.
    pub fn allows(self, contained: bool, workspace: &Path, asked: &Question<'_>) -> Result<(), String> {
        if is_agent_verb(asked) {
            return Ok(());
        }
        let looks = matches!(asked.kind, ToolKind::Read | ToolKind::Search | ToolKind::Think);
        let changes = matches!(asked.kind, ToolKind::Edit | ToolKind::Delete | ToolKind::Move);
        let within = !asked.places.is_empty() && asked.places.iter().all(|p| is_beneath(workspace, p));
        match self {
            Self::All => Ok(()),
            Self::Contained if contained || looks => Ok(()),
            Self::Edit if looks || (changes && within) => Ok(()),
            Self::ReadOnly if looks => Ok(()),
            Self::Contained => {
                Err("permission is \"contained\", and nothing contains this worker".to_owned())
            }
            Self::Edit if changes => {
                Err("permission is \"edit\", and this is not in the workspace".to_owned())
            }
            Self::Edit => Err("permission is \"edit\"".to_owned()),
            Self::ReadOnly => Err("permission is \"read-only\"".to_owned()),
            Self::Deny => Err("permission is \"deny\"".to_owned()),
        }
    }
}

/// The option that says yes or no this once; `None` where the agent offers none.
pub fn option(options: &[PermissionOption], yes: bool) -> Option<PermissionOptionId> {
    let kind = if yes {
        PermissionOptionKind::AllowOnce
    } else {
        PermissionOptionKind::RejectOnce
    };
    let found = options.iter().find(|option| option.kind == kind);
    found.map(|option| option.option_id.clone())
}

/// The name under which the MCP server of the agent verbs is handed to agents.
pub const VERBS_SERVER: &str = "orchestrator";

/// A tool of our own MCP server, as Claude Code and OpenCode spell it. They touch nothing but the attempt's own records.
fn is_agent_verb(asked: &Question<'_>) -> bool {
    let rest = ["mcp__orchestrator__", "orchestrator_"]
        .iter()
        .find_map(|prefix| asked.tool.strip_prefix(prefix));
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    asked.kind == ToolKind::Other && rest.is_some_and(is_word)
}

/// By its words alone; a way up is no way in.
fn is_beneath(workspace: &Path, place: &Path) -> bool {
    place.starts_with(workspace) && place.components().all(|part| part != Component::ParentDir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const W: &str = "/w";

    fn allowed(permission: Permission, contained: bool, kind: ToolKind, place: &str) -> bool {
        let places: Vec<PathBuf> = [place]
            .iter()
            .filter(|p| !p.is_empty())
            .map(PathBuf::from)
            .collect();
        let asked = Question {
            tool: "x",
            kind,
            places: &places,
        };
        permission.allows(contained, Path::new(W), &asked).is_ok()
    }

    #[test]
    fn the_policy_as_a_table() {
        use Permission::{All, Contained, Deny, Edit, ReadOnly};
        let rows = [
            (ToolKind::Read, "/etc/x", [true, true, true, true, true, false]),
            (ToolKind::Search, "", [true, true, true, true, true, false]),
            (ToolKind::Edit, "/w/a", [true, false, true, true, false, false]),
            (ToolKind::Delete, "/w/a", [true, false, true, true, false, false]),
            (
                ToolKind::Edit,
                "/w/../etc/x",
                [true, false, true, false, false, false],
            ),
            (ToolKind::Edit, "/wx/a", [true, false, true, false, false, false]),
            (ToolKind::Edit, "", [true, false, true, false, false, false]),
            (
                ToolKind::Execute,
                "/w/a",
                [true, false, true, false, false, false],
            ),
            (ToolKind::Fetch, "", [true, false, true, false, false, false]),
            (ToolKind::SwitchMode, "", [true, false, true, false, false, false]),
            (ToolKind::Other, "", [true, false, true, false, false, false]),
        ];
        for (kind, place, expected) in rows {
            let columns = [
                (Contained, true),
                (Contained, false),
                (All, false),
                (Edit, false),
                (ReadOnly, true),
                (Deny, true),
            ];
            let found = columns.map(|(permission, contained)| allowed(permission, contained, kind, place));
            assert_eq!(found, expected, "{kind:?} {place}");
        }
    }

    #[test]
    fn the_agent_verbs_are_always_there_and_nothing_can_pose_as_one() {
        let ask = |tool, kind| {
            let asked = Question {
                tool,
                kind,
                places: &[],
            };
            Permission::Deny.allows(false, Path::new(W), &asked).is_ok()
        };
        assert!(ask("mcp__orchestrator__heartbeat", ToolKind::Other));
        assert!(ask("orchestrator_done", ToolKind::Other));
        assert!(!ask("mcp__orchestrator__", ToolKind::Other));
        assert!(!ask("mcp__orchestrator__x; rm -rf /", ToolKind::Other));
        assert!(!ask("mcp__orchestrator__heartbeat", ToolKind::Execute));
        assert!(!ask("mcp__other__heartbeat", ToolKind::Other));
    }

    #[test]
    fn an_answer_never_lasts() {
        let option_of = |id: &str, kind| PermissionOption::new(id.to_owned(), "Name", kind);
        let lasting = [
            option_of("a", PermissionOptionKind::AllowAlways),
            option_of("r", PermissionOptionKind::RejectAlways),
        ];
        assert_eq!((option(&lasting, true), option(&lasting, false)), (None, None));
        let mut all = lasting.to_vec();
        all.push(option_of("a1", PermissionOptionKind::AllowOnce));
        all.push(option_of("r1", PermissionOptionKind::RejectOnce));
        assert_eq!(option(&all, true).unwrap().to_string(), "a1");
        assert_eq!(option(&all, false).unwrap().to_string(), "r1");
    }
}
