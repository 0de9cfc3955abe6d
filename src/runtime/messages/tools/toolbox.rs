//! The tools by name: their schemas, and the dispatch of one call.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::beneath::Root;
use super::{Answer, bash, editor, progress};
use crate::domain::outcome::{EndKind, Ending};
use crate::domain::tool::Tool;

/// The model's last word on its work.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Finish {
    outcome: Word,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Done,
    NoChangeNeeded,
    Continue,
    Blocked,
    NeedsStrongerModel,
}

impl Finish {
    /// How the attempt ends by this word.
    pub fn ending(&self) -> Ending {
        let (kind, plain) = match self.outcome {
            Word::Done => (EndKind::Claimed, "it says that the work is done"),
            Word::NoChangeNeeded => (EndKind::NoChangeNeeded, "it says that nothing needs to change"),
            Word::Continue => (EndKind::Continue, "it made progress and is not done"),
            Word::Blocked => (EndKind::Blocked, "it needs a person"),
            Word::NeedsStrongerModel => (EndKind::NeedsStrongerModel, "it asks for a stronger model"),
        };
        let reason = if self.reason.trim().is_empty() {
            plain
        } else {
            self.reason.trim()
        };
        Ending {
            kind,
            reason: reason.to_owned(),
        }
    }
}

#[derive(Deserialize)]
struct Log {
    text: String,
    #[serde(default)]
    phase: Option<String>,
}

/// What a call did beside its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Nothing more.
    Nothing,
    /// The worker named what it is doing.
    Phase(String),
    /// The worker is at its end.
    Finish(Finish),
}

/// The tools of one workspace.
#[derive(Debug)]
pub struct Toolbox {
    /// The shell.
    pub shell: bash::Shell,
    /// The files that the editor may touch.
    pub root: Root,
    /// The task's progress file.
    pub progress_file: PathBuf,
    /// The kinds of tools that may be used; all where absent.
    pub allowed: Option<Vec<Tool>>,
}

impl Toolbox {
    /// Carries out one call; `alive` is told when bytes arrive from a command.
    pub async fn call(
        &self,
        name: &str,
        input: Value,
        now: DateTime<Utc>,
        alive: &mut (dyn FnMut() + Send),
    ) -> (Answer, Said) {
        let looks = input.get("command").and_then(Value::as_str) == Some("view");
        if !offered(self.allowed.as_deref(), name) || (name == "edit" && !looks && !self.may(Tool::Edit)) {
            let answer = Answer::error(format!(
                "{name:?} is not among your tools here; do without, or finish as blocked"
            ));
            return (answer, Said::Nothing);
        }
        match name {
            "bash" => (
                with(input, async |input| self.shell.run(input, alive).await).await,
                Said::Nothing,
            ),
            "edit" => (
                with(input, async |input: editor::Input| {
                    editor::run(&self.root, &input)
                })
                .await,
                Said::Nothing,
            ),
            "progress" => self.log(input, now),
            "finish" => finish(input),
            other => (
                Answer::error(format!("there is no tool {other:?}; there are {NAMES}")),
                Said::Nothing,
            ),
        }
    }

    fn may(&self, tool: Tool) -> bool {
        self.allowed.as_ref().is_none_or(|tools| tools.contains(&tool))
    }

    fn log(&self, input: Value, now: DateTime<Utc>) -> (Answer, Said) {
        match parse::<Log>(input) {
            Err(answer) => (answer, Said::Nothing),
            Ok(log) => {
                let answer = progress::log(&self.progress_file, &log.text, now);
                let phase = log.phase.filter(|phase| !phase.trim().is_empty());
                (
                    answer,
                    phase.map_or(Said::Nothing, |phase| Said::Phase(phase.trim().to_owned())),
                )
            }
        }
    }
}

const NAMES: &str = "bash, edit, progress and finish";

async fn with<T: DeserializeOwned>(input: Value, run: impl AsyncFnOnce(T) -> Answer) -> Answer {
    match parse(input) {
        Ok(input) => run(input).await,
        Err(answer) => answer,
    }
}

fn finish(input: Value) -> (Answer, Said) {
    match parse(input) {
        Ok(word) => (Answer::ok("noted"), Said::Finish(word)),
        Err(answer) => (answer, Said::Nothing),
    }
}

fn parse<T: DeserializeOwned>(input: Value) -> Result<T, Answer> {
    serde_json::from_value(input)
        .map_err(|fault| Answer::error(format!("the input does not fit the tool's schema: {fault}")))
}

/// Whether a tool is offered where only these kinds are allowed. The work log and the end always are.
fn offered(allowed: Option<&[Tool]>, name: &str) -> bool {
    let Some(allowed) = allowed else { return true };
    match name {
        "bash" => allowed.contains(&Tool::Bash),
        "edit" => allowed.contains(&Tool::Edit) || allowed.contains(&Tool::Read),
        _ => true,
    }
}

/// The tools as the request names them, of those that are allowed.
pub fn schemas(allowed: Option<&[Tool]>) -> Value {
    let mut all = every_schema();
    if let Some(tools) = all.as_array_mut() {
        tools.retain(|tool| offered(allowed, tool["name"].as_str().unwrap_or_default()));
    }
    all
}

fn every_schema() -> Value {
    json!([
        tool(
            "bash",
            "Run a command with `sh -c` in the workspace. Standard input is empty. The output is cut in its middle when it is long. \
             Processes that are left in the background are killed when the command ends.",
            json!({
                "command": {"type": "string"},
                "timeout": {"type": "integer", "description": "seconds, up to the limit of the installation"}
            }),
            &["command"]
        ),
        tool(
            "edit",
            "View or edit a text file of the workspace. `view` shows a file with line numbers, or a folder; `create` writes a whole file; \
             `str_replace` replaces a text that occurs exactly once; `insert` puts text behind a line. Paths are relative to the workspace.",
            json!({
                "command": {"type": "string", "enum": ["view", "create", "str_replace", "insert"]},
                "path": {"type": "string"},
                "file_text": {"type": "string", "description": "create: the whole content"},
                "old_str": {"type": "string", "description": "str_replace: the text to replace"},
                "new_str": {"type": "string", "description": "str_replace: what to put there"},
                "insert_line": {"type": "integer", "description": "insert: the line behind which; 0 is the start"},
                "insert_text": {"type": "string", "description": "insert: the text"},
                "view_range": {"type": "array", "items": {"type": "integer"}, "description": "view: [first, last]; -1 is the end"}
            }),
            &["command", "path"]
        ),
        tool(
            "progress",
            "Add one sentence to the task's work log: what was done or found. Log after each step that matters.",
            json!({
                "text": {"type": "string"},
                "phase": {"type": "string", "description": "two or three words on what comes now"}
            }),
            &["text"]
        ),
        tool(
            "finish",
            "End this attempt. done: the work is complete and you checked it; no_change_needed: nothing has to change, and the reason proves it; \
             continue: progress was made and more is left; blocked: only a person can help; needs_stronger_model: it is beyond you.",
            json!({
                "outcome": {"type": "string", "enum": ["done", "no_change_needed", "continue", "blocked", "needs_stronger_model"]},
                "reason": {"type": "string", "description": "one or two sentences for people"}
            }),
            &["outcome", "reason"]
        ),
    ])
}

fn tool(name: &str, description: &str, properties: Value, required: &[&str]) -> Value {
    let schema = json!({"type": "object", "properties": properties, "required": required});
    json!({"name": name, "description": description, "input_schema": schema})
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn call(name: &str, input: Value) -> (Answer, Said) {
        let folder = tempfile::tempdir().unwrap();
        let toolbox = Toolbox {
            shell: bash::Shell {
                workspace: folder.path().to_owned(),
                limit: Duration::from_secs(5),
            },
            root: Root::open(folder.path()).unwrap(),
            progress_file: folder.path().join("p.md"),
            allowed: None,
        };
        toolbox.call(name, input, DateTime::UNIX_EPOCH, &mut || {}).await
    }

    #[tokio::test]
    async fn wrong_calls_are_answered_with_what_is_wrong() {
        for (name, input, word) in [
            ("rm_rf", json!({}), "there are bash, edit, progress and finish"),
            ("bash", json!({}), "missing field `command`"),
            ("bash", json!({"command": 7}), "invalid type"),
            ("bash", json!(null), "does not fit"),
            ("edit", json!({"command": "view"}), "missing field `path`"),
            (
                "edit",
                json!({"command": "view", "path": "a", "view_range": [1]}),
                "does not fit",
            ),
            ("progress", json!({"text": ["x"]}), "invalid type"),
            ("finish", json!({"outcome": "perfect"}), "unknown variant"),
        ] {
            let (answer, said) = call(name, input).await;
            assert!(answer.is_error && answer.text.contains(word), "{}", answer.text);
            assert_eq!(said, Said::Nothing);
        }
    }

    #[tokio::test]
    async fn every_last_word_has_its_end() {
        for (word, kind) in [
            ("done", EndKind::Claimed),
            ("no_change_needed", EndKind::NoChangeNeeded),
            ("continue", EndKind::Continue),
            ("blocked", EndKind::Blocked),
            ("needs_stronger_model", EndKind::NeedsStrongerModel),
        ] {
            let (_, said) = call("finish", json!({"outcome": word})).await;
            let Said::Finish(finish) = said else {
                panic!("{word}")
            };
            assert_eq!(finish.ending().kind, kind);
            assert!(!finish.ending().reason.is_empty());
        }
    }

    #[tokio::test]
    async fn a_phase_is_told() {
        let (answer, said) = call("progress", json!({"text": "x", "phase": " writing tests "})).await;
        assert!(!answer.is_error);
        assert_eq!(said, Said::Phase("writing tests".into()));
    }

    #[tokio::test]
    async fn what_an_agent_may_not_is_neither_offered_nor_done() {
        let names = |allowed: &[Tool]| -> Vec<String> {
            let tools = schemas(Some(allowed));
            let tools = tools.as_array().unwrap().iter();
            tools
                .map(|tool| tool["name"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names(&[]), ["progress", "finish"]);
        assert_eq!(names(&[Tool::Read]), ["edit", "progress", "finish"]);
        assert_eq!(names(&[Tool::Bash, Tool::Web]), ["bash", "progress", "finish"]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "text").unwrap();
        let toolbox = Toolbox {
            shell: bash::Shell {
                workspace: folder.path().to_owned(),
                limit: Duration::from_secs(5),
            },
            root: Root::open(folder.path()).unwrap(),
            progress_file: folder.path().join("p.md"),
            allowed: Some(vec![Tool::Read]),
        };
        for (name, input, refused) in [
            ("bash", json!({"command": "touch b"}), true),
            (
                "edit",
                json!({"command": "create", "path": "b", "file_text": "x"}),
                true,
            ),
            ("edit", json!({"command": "view", "path": "a"}), false),
        ] {
            let (answer, _) = toolbox.call(name, input, DateTime::UNIX_EPOCH, &mut || {}).await;
            assert_eq!(answer.is_error, refused, "{}", answer.text);
        }
        assert!(!folder.path().join("b").exists());
    }

    #[test]
    fn schemas_are_whole() {
        let tools = schemas(None);
        let names: Vec<_> = tools
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["bash", "edit", "progress", "finish"]);
        for tool in tools.as_array().unwrap() {
            for field in tool["input_schema"]["required"].as_array().unwrap() {
                assert!(tool["input_schema"]["properties"][field.as_str().unwrap()].is_object());
            }
        }
    }
}
