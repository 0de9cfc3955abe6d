//! The script: which conversation gets which answers.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::ask::Ask;
use super::fault::Fault;

/// All that a server answers.
#[derive(Debug, Default)]
pub struct Script {
    scenarios: Vec<Scenario>,
    key: Option<String>,
}

impl Script {
    /// An empty script.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a scenario; of several that fit, the first answers.
    #[must_use]
    pub fn scenario(mut self, scenario: Scenario) -> Self {
        self.scenarios.push(scenario);
        self
    }

    /// Refuses every request without this API key, as the provider would.
    #[must_use]
    pub fn requires_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// What is scripted, in words: a line for each scenario and for each step.
    pub fn describe(&self) -> Vec<String> {
        self.scenarios.iter().flat_map(Scenario::describe).collect()
    }

    pub(super) fn accepts_key(&self, given: Option<&str>) -> bool {
        self.key.is_none() || self.key.as_deref() == given
    }

    /// The scenario and the step for a request.
    pub(super) fn find(&self, ask: &Ask) -> Option<(&Scenario, &Step)> {
        let scenario = self.scenarios.iter().find(|scenario| scenario.fits(ask))?;
        Some((scenario, scenario.steps.get(ask.turns).unwrap_or(&scenario.end)))
    }
}

/// The answers to one kind of conversation.
#[derive(Debug)]
pub struct Scenario {
    name: String,
    model: Option<String>,
    marks: Vec<String>,
    steps: Vec<Step>,
    end: Step,
}

impl Scenario {
    /// A scenario that fits every conversation until it is narrowed; `name` says what it shows.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            model: None,
            marks: Vec::new(),
            steps: Vec::new(),
            end: Step::say("There is nothing more in the script."),
        }
    }

    /// Only for models whose name contains `model`.
    #[must_use]
    pub fn for_model(mut self, model: &str) -> Self {
        self.model = Some(model.to_owned());
        self
    }

    /// Only when the system prompt or the first user message contains `mark`; several marks must all be there.
    #[must_use]
    pub fn marked(mut self, mark: &str) -> Self {
        self.marks.push(mark.to_owned());
        self
    }

    /// Adds the answer to the next turn.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// What it shows.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn fits(&self, ask: &Ask) -> bool {
        self.model.as_ref().is_none_or(|model| ask.model.contains(model))
            && self.marks.iter().all(|mark| ask.opening.contains(mark))
    }

    fn describe(&self) -> Vec<String> {
        let model = self.model.as_deref().unwrap_or("any model");
        let marks = self
            .marks
            .iter()
            .map(|mark| format!(" and \"{mark}\""))
            .collect::<String>();
        let head = format!("{} ({model}{marks})", self.name);
        let steps = self
            .steps
            .iter()
            .enumerate()
            .map(|(at, step)| format!("  {}. {}", at + 1, step.describe()));
        std::iter::once(head).chain(steps).collect()
    }
}

/// One turn of the model.
#[derive(Debug)]
pub struct Step {
    pub(super) texts: Vec<String>,
    pub(super) calls: Vec<Call>,
    pub(super) stop_reason: Option<String>,
    pub(super) tokens: Tokens,
    pub(super) pace: Duration,
    pub(super) headers: Vec<(String, String)>,
    faults: Vec<(Fault, AtomicU32)>,
}

/// A tool call.
#[derive(Debug, Clone)]
pub(super) enum Call {
    /// A tool by its name, with the input as the JSON text that is sent, which may be no JSON at all.
    Tool { name: String, input: String },
    /// Whatever tool of the client runs a command line.
    Shell(String),
}

impl Call {
    /// The name and the input of the call, for a client that declares such tools.
    pub(super) fn as_declared(&self, ask: &Ask) -> (String, String) {
        match self {
            Self::Tool { name, input } => (name.clone(), input.clone()),
            Self::Shell(command) => shell(command, &ask.tools),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Tool { name, input } => format!("calls {name} {}", start(input)),
            Self::Shell(command) => format!("runs {}", start(command)),
        }
    }
}

/// The tools that run a command line, and where the command stands in their input; the last where none is declared.
const SHELLS: [(&str, &str); 5] = [
    ("exec_command", "cmd"),
    ("shell_command", "command"),
    ("run_shell_command", "command"),
    ("Bash", "command"),
    ("bash", "command"),
];

fn shell(command: &str, declared: &[String]) -> (String, String) {
    let known = SHELLS
        .iter()
        .find(|(name, _)| declared.iter().any(|tool| tool == name));
    let (name, field) = known.copied().unwrap_or(("bash", "command"));
    (name.to_owned(), json!({ field: command }).to_string())
}

/// What a turn claims to have used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tokens {
    /// Read, not from the cache.
    pub input: u64,
    /// Written.
    pub output: u64,
    /// Read, and put into the cache.
    pub cache_write: u64,
    /// Read from the cache.
    pub cache_read: u64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            input: 100,
            output: 20,
            cache_write: 0,
            cache_read: 0,
        }
    }
}

impl Step {
    /// A turn of text alone; it ends the model's turn unless a call follows.
    pub fn say(text: &str) -> Self {
        Self {
            texts: vec![text.to_owned()],
            ..Self::silent()
        }
    }

    /// A turn that calls a tool.
    pub fn call(name: &str, input: Value) -> Self {
        Self::silent().and_call(name, input)
    }

    /// A turn that runs a command line by whatever tool the client has for it.
    pub fn shell(command: &str) -> Self {
        Self::silent().and_shell(command)
    }

    /// A turn without any content.
    pub fn silent() -> Self {
        Self {
            texts: Vec::new(),
            calls: Vec::new(),
            stop_reason: None,
            tokens: Tokens::default(),
            pace: Duration::ZERO,
            headers: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Calls one more tool in the same turn.
    #[must_use]
    pub fn and_call(self, name: &str, input: Value) -> Self {
        self.and_raw_call(name, &input.to_string())
    }

    /// Runs one more command line in the same turn.
    #[must_use]
    pub fn and_shell(mut self, command: &str) -> Self {
        self.calls.push(Call::Shell(command.to_owned()));
        self
    }

    /// Calls a tool with an input that need not be JSON.
    #[must_use]
    pub fn and_raw_call(mut self, name: &str, input: &str) -> Self {
        self.calls.push(Call::Tool {
            name: name.to_owned(),
            input: input.to_owned(),
        });
        self
    }

    /// Ends the turn for another reason than its content suggests.
    #[must_use]
    pub fn stopping(mut self, reason: &str) -> Self {
        self.stop_reason = Some(reason.to_owned());
        self
    }

    /// Sets what the turn claims to have used.
    #[must_use]
    pub fn using(mut self, tokens: Tokens) -> Self {
        self.tokens = tokens;
        self
    }

    /// Waits this long before each event of the stream.
    #[must_use]
    pub fn paced(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Sends a header with the answer.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Goes wrong first; of several faults the first that has not struck often enough strikes.
    #[must_use]
    pub fn after(mut self, fault: Fault) -> Self {
        self.faults.push((fault, AtomicU32::new(0)));
        self
    }

    /// The fault that strikes now, if one does; counts it.
    pub(super) fn strike(&self) -> Option<&Fault> {
        let struck = |(fault, count): &&(Fault, AtomicU32)| {
            let more = |n: u32| (n < fault.times).then(|| n.saturating_add(1));
            count
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more)
                .is_ok()
        };
        self.faults.iter().find(struck).map(|(fault, _)| fault)
    }

    /// Why the turn ends, in the provider's word.
    pub(super) fn stop_word(&self) -> &str {
        match &self.stop_reason {
            Some(reason) => reason,
            None if self.calls.is_empty() => "end_turn",
            None => "tool_use",
        }
    }

    fn describe(&self) -> String {
        let faults = self.faults.iter().map(|(fault, _)| fault.describe());
        let texts = self.texts.iter().map(|text| format!("says \"{}\"", start(text)));
        let calls = self.calls.iter().map(Call::describe);
        faults
            .chain(texts)
            .chain(calls)
            .collect::<Vec<_>>()
            .join("; then ")
    }
}

fn start(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(70) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(model: &str, opening: &str, turns: usize) -> Ask {
        Ask {
            model: model.into(),
            opening: opening.into(),
            turns,
            streams: true,
            tools: Vec::new(),
            namespaces: Vec::new(),
        }
    }

    #[test]
    fn model_marks_and_history_choose_the_step() {
        let script = Script::new()
            .scenario(
                Scenario::new("cheap")
                    .for_model("haiku")
                    .marked("[calc]")
                    .step(Step::say("1"))
                    .step(Step::say("2")),
            )
            .scenario(
                Scenario::new("both")
                    .marked("[calc]")
                    .marked("again")
                    .step(Step::say("3")),
            )
            .scenario(Scenario::new("dear").for_model("sonnet").step(Step::say("4")));
        let found = |model, opening, turns| {
            script
                .find(&ask(model, opening, turns))
                .map(|(scenario, step)| (scenario.name(), step.texts[0].as_str()))
        };
        assert_eq!(found("haiku-4", "do [calc]", 0), Some(("cheap", "1")));
        assert_eq!(found("haiku-4", "do [calc]", 1), Some(("cheap", "2")));
        assert_eq!(
            found("haiku-4", "do [calc]", 9),
            Some(("cheap", "There is nothing more in the script."))
        );
        assert_eq!(found("opus", "again [calc]", 0), Some(("both", "3")));
        assert_eq!(found("sonnet", "", 0), Some(("dear", "4")));
        assert_eq!(found("opus", "[calc]", 0), None);
    }

    #[test]
    fn faults_strike_as_often_as_they_were_told() {
        let step = Step::say("x")
            .after(Fault::overloaded().first(2))
            .after(Fault::cut(1).first(1));
        let kinds: Vec<_> = (0..4).map(|_| step.strike().map(Fault::describe)).collect();
        let overloaded = Some("fails with 529 overloaded_error 2 times".to_owned());
        assert_eq!(
            kinds,
            [
                overloaded.clone(),
                overloaded,
                Some("cuts the connection once".to_owned()),
                None
            ]
        );
        let always = Step::say("x").after(Fault::hang());
        assert!((0..100).all(|_| always.strike().is_some()));
    }

    #[test]
    fn a_command_line_is_run_by_the_tool_that_the_client_has() {
        let call = Call::Shell("make".into());
        for (tools, name, input) in [
            (vec!["view", "exec_command"], "exec_command", r#"{"cmd":"make"}"#),
            (vec!["Bash", "Write"], "Bash", r#"{"command":"make"}"#),
            (vec!["edit"], "bash", r#"{"command":"make"}"#),
        ] {
            let tools = tools.into_iter().map(str::to_owned).collect();
            let declared = call.as_declared(&Ask {
                tools,
                ..ask("m", "", 0)
            });
            assert_eq!(declared, (name.to_owned(), input.to_owned()));
        }
    }

    #[test]
    fn the_script_can_be_told() {
        let step = Step::call("bash", json!({"command": "make"})).after(Fault::hang().first(1));
        let script = Script::new().scenario(Scenario::new("fix").for_model("haiku").marked("[x]").step(step));
        let lines = script.describe();
        assert_eq!(
            lines,
            [
                "fix (haiku and \"[x]\")",
                "  1. hangs once; then calls bash {\"command\":\"make\"}"
            ]
        );
    }
}
