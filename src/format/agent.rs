//! agents/NAME.md: a personality, with defaults for the tasks that name it. The front matter may be left out.
//!
//! Invariant: a task's own fields win over its job's, and these over its agent's. What an agent limits, its tools,
//! no task widens. Deliberately absent: templates; a personality is put before the prompt as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::domain::definition::Definition;
use crate::domain::tier::TierName;
use crate::domain::tool::Tool;
use crate::format::diagnostic::{Code, Diagnostic};
use crate::format::duration;
use crate::format::job::{Place, line_of, split, unreadable};
use crate::format::queue::best;

/// One agent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Agent {
    /// What it is for, in one sentence.
    pub description: String,
    /// The lowest tier that may try its tasks.
    pub tier: Option<TierName>,
    /// The highest tier that may try its tasks.
    pub max_tier: Option<TierName>,
    /// The runtimes that it may run by, of those that a tier names; all where empty.
    pub runtimes: Vec<String>,
    /// The tools that it may use; all where absent.
    pub tools: Option<Vec<Tool>>,
    /// The most that a task of its may cost, in US dollars.
    pub budget_usd: Option<f64>,
    /// The most time an attempt may take.
    pub timeout: Option<Duration>,
    /// Who it is: the text that is put before the prompt.
    pub personality: String,
}

/// All agents of an instance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Agents {
    /// The usable ones, by name.
    pub ready: BTreeMap<String, Agent>,
    /// The names of the files that have errors.
    pub broken: BTreeSet<String>,
}

/// The keys of the front matter.
const KEYS: [&str; 8] = [
    "name",
    "description",
    "tier",
    "max_tier",
    "runtimes",
    "tools",
    "budget",
    "timeout",
];

impl Agents {
    /// Takes an agent in, usable or not, and returns its mistakes.
    pub fn add(&mut self, name: &str, file: &str, bytes: &[u8]) -> Vec<Diagnostic> {
        let (agent, problems) = parse(name, file, bytes);
        match agent {
            Some(agent) => drop(self.ready.insert(name.to_owned(), agent)),
            None => drop(self.broken.replace(name.to_owned())),
        }
        problems
    }
}

/// Reads an agent's file; no agent where there is an error. `name` is the file's name without `.md`.
pub fn parse(name: &str, file: &str, bytes: &[u8]) -> (Option<Agent>, Vec<Diagnostic>) {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let Some(parts) = split(text) else {
        let personality = text.to_owned();
        return (
            Some(Agent {
                personality,
                ..Agent::default()
            }),
            Vec::new(),
        );
    };
    let mut reader = Reader {
        place: Place { file, text },
        front: parts.front,
        problems: Vec::new(),
    };
    let mut agent = reader.agent(name);
    agent.personality = parts.body.to_owned();
    let failed = reader.problems.iter().any(Diagnostic::is_error);
    reader.problems.sort_by_key(|p| (p.line, p.column));
    ((!failed).then_some(agent), reader.problems)
}

struct Reader<'r> {
    place: Place<'r>,
    front: &'r str,
    problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn agent(&mut self, name: &str) -> Agent {
        let mut agent = Agent::default();
        let front = if self.front.trim().is_empty() {
            "{}"
        } else {
            self.front
        };
        let values: BTreeMap<String, Value> = match serde_saphyr::from_str(front) {
            Ok(values) => values,
            Err(error) => {
                let help = format!("the keys are: {}", KEYS.join(", "));
                self.problems.push(unreadable(&self.place, &error, &help));
                return agent;
            }
        };
        for (key, value) in &values {
            self.value(key, value, name, &mut agent);
        }
        agent
    }

    fn value(&mut self, key: &str, value: &Value, name: &str, agent: &mut Agent) {
        match key {
            "name" => self.own_name(&scalar(value), name),
            "description" => agent.description = scalar(value),
            "tier" => agent.tier = Some(TierName::new(&scalar(value))),
            "max_tier" => agent.max_tier = Some(TierName::new(&scalar(value))),
            "runtimes" => agent.runtimes = list(value),
            "tools" => agent.tools = Some(self.tools(value)),
            "budget" => match duration::parse_budget(&scalar(value)) {
                Ok(dollars) => agent.budget_usd = Some(dollars),
                Err(bad) => self.error(
                    key,
                    Code::BadBudget,
                    bad.to_string(),
                    "write for example budget: \"$2.50\"",
                ),
            },
            "timeout" => match duration::parse(&scalar(value)) {
                Ok(time) if !time.is_zero() => agent.timeout = Some(time),
                Ok(_) => self.error(
                    key,
                    Code::BadTimeout,
                    "a timeout of nothing stops every attempt".to_owned(),
                    "write for example timeout: 45m",
                ),
                Err(bad) => self.error(
                    key,
                    Code::BadTimeout,
                    bad.to_string(),
                    "write for example timeout: 45m",
                ),
            },
            other => {
                let near = best(other, KEYS.into_iter());
                let near = near.map_or_else(String::new, |key| format!("did you mean '{key}'? "));
                let help = format!("{near}the keys are: {}", KEYS.join(", "));
                self.error(
                    other,
                    Code::BadFrontMatter,
                    format!("unknown key '{}'", shown(other)),
                    &help,
                );
            }
        }
    }

    fn own_name(&mut self, written: &str, name: &str) {
        if written == name {
            return;
        }
        let message = format!(
            "the agent calls itself '{}', but tasks must name it '{name}', as the file is named",
            shown(written)
        );
        let line = line_of(self.front, "name").unwrap_or(1);
        let help = "rename the file, or correct name:";
        let found = self.place.warning(line, 1, Code::NameMismatch, message, help);
        self.problems.push(found);
    }

    fn tools(&mut self, value: &Value) -> Vec<Tool> {
        let mut tools = Vec::new();
        for word in list(value) {
            match Tool::parse(&word) {
                Some(tool) => tools.push(tool),
                None => {
                    let words = Tool::ALL.map(Tool::as_str);
                    let near = best(&word, words.into_iter());
                    let near = near.map_or_else(String::new, |tool| format!("did you mean '{tool}'? "));
                    let help = format!("{near}the tools are: {}", words.join(", "));
                    self.error(
                        "tools",
                        Code::BadFrontMatter,
                        format!("there is no tool '{}'", shown(&word)),
                        &help,
                    );
                }
            }
        }
        tools
    }

    fn error(&mut self, key: &str, code: Code, message: String, help: &str) {
        let line = line_of(self.front, key).unwrap_or(1);
        self.problems.push(self.place.error(line, 1, code, message, help));
    }
}

fn shown(text: &str) -> String {
    crate::format::text::shown(text)
}

/// A YAML scalar as text; what is none is nothing.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// A YAML list of scalars, or one text with commas.
fn list(value: &Value) -> Vec<String> {
    let words: Vec<String> = match value {
        Value::Array(values) => values.iter().map(scalar).collect(),
        one => scalar(one)
            .split(',')
            .map(|word| word.trim().to_owned())
            .collect(),
    };
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

impl Agent {
    /// Fills in what a task and its job leave open. `tiers` is the ladder, where it is known: an agent's lowest tier
    /// does not lift a task above its own Max Model.
    pub fn fill(&self, definition: &mut Definition, tiers: Option<&[TierName]>) {
        let above = |low: &TierName, high: &TierName| {
            let place = |name: &TierName| tiers.and_then(|tiers| tiers.iter().position(|t| t == name));
            place(low).zip(place(high)).is_some_and(|(low, high)| low > high)
        };
        if definition.min_tier.is_none() {
            let fits = |tier: &&TierName| definition.max_tier.as_ref().is_none_or(|max| !above(tier, max));
            definition.min_tier = self.tier.as_ref().filter(fits).cloned();
        }
        if definition.max_tier.is_none() {
            let fits = |tier: &&TierName| definition.min_tier.as_ref().is_none_or(|min| !above(min, tier));
            definition.max_tier = self.max_tier.as_ref().filter(fits).cloned();
        }
        definition.budget_usd = definition.budget_usd.or(self.budget_usd);
        definition.timeout = definition.timeout.or(self.timeout);
        if definition.runtime.is_none() {
            definition.runtimes.clone_from(&self.runtimes);
        }
        definition.tools.clone_from(&self.tools);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FULL: &str = "---\nname: ann\ndescription: Looks.\ntier: haiku\nmax_tier: sonnet\nruntimes: [claude]\n\
                        tools: [read, Web]\nbudget: $1.50\ntimeout: 20m\n---\n# Ann\n\nYou look.\n";

    fn read(text: &str) -> (Option<Agent>, Vec<Diagnostic>) {
        parse("ann", "agents/ann.md", text.as_bytes())
    }

    #[test]
    fn a_full_file_is_read() {
        let (agent, problems) = read(FULL);
        assert_eq!(problems, []);
        let agent = agent.unwrap();
        assert_eq!(agent.personality, "# Ann\n\nYou look.\n");
        assert_eq!(agent.tools, Some(vec![Tool::Read, Tool::Web]));
        assert_eq!(
            (agent.budget_usd, agent.timeout),
            (Some(1.5), Some(Duration::from_secs(1200)))
        );
        assert_eq!(agent.runtimes, ["claude"]);
    }

    #[test]
    fn a_text_without_front_matter_is_all_personality() {
        for text in ["You are careful.\n", "", "---\nnot closed\n"] {
            let (agent, problems) = read(text);
            assert_eq!((agent.unwrap().personality.as_str(), problems.len()), (text, 0));
        }
    }

    #[test]
    fn mistakes_have_their_line_and_cure() {
        let rows = [
            (
                "---\nteir: haiku\n---\n",
                2,
                "bad-front-matter",
                "did you mean 'tier'?",
            ),
            (
                "---\ntools: [read, bsh]\n---\n",
                2,
                "bad-front-matter",
                "did you mean 'bash'?",
            ),
            ("---\nname: ann\nbudget: lots\n---\n", 3, "bad-budget", "budget"),
            ("---\ntimeout: 0s\n---\n", 2, "bad-timeout", "timeout"),
            ("---\nname: [\n---\n", 2, "bad-front-matter", "the keys are"),
        ];
        for (text, line, code, help) in rows {
            let (agent, problems) = read(text);
            assert_eq!(agent, None, "{text}");
            let found = &problems[0];
            assert_eq!(found.code.as_str(), code, "{text}");
            assert!(found.help.contains(help), "{found:?}");
            assert!(found.line >= line, "{found:?}");
        }
        let (agent, problems) = read("---\nname: bob\n---\n");
        assert!(agent.is_some() && problems[0].code == Code::NameMismatch);
    }

    #[test]
    fn a_task_s_own_fields_win_and_tools_stay_limited() {
        let agent = read(FULL).0.unwrap();
        let ladder = ["haiku", "sonnet", "opus"].map(TierName::new);
        let mut own = Definition {
            min_tier: Some(TierName::new("opus")),
            budget_usd: Some(9.0),
            runtime: Some("api".into()),
            ..Definition::default()
        };
        agent.fill(&mut own, Some(&ladder));
        assert_eq!((own.min_tier, own.max_tier), (Some(TierName::new("opus")), None));
        assert_eq!((own.budget_usd, own.runtimes.len()), (Some(9.0), 0));
        assert_eq!(own.tools, Some(vec![Tool::Read, Tool::Web]));
        let mut open = Definition::default();
        agent.fill(&mut open, Some(&ladder));
        assert_eq!(open.max_tier, Some(TierName::new("sonnet")));
        assert_eq!(open.runtimes, ["claude"]);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200), keys in "(---\n)?([a-z_]{1,8}: [\\[\\]a-z0-9$,]{0,9}\n){0,4}(---\n)?") {
            let _ = parse("a", "agents/a.md", &bytes);
            let _ = parse("a", "agents/a.md", format!("---\n{keys}---\n").as_bytes());
        }
    }
}
