//! The assessment before the first attempt: rules over the task's text and its workspace, reasons recorded.
//!
//! Deliberately absent: any model call.

use serde::{Deserialize, Serialize};

use super::definition::Definition;

/// What the rules look at, besides the definition.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Survey {
    /// Paths that the task's text names and that exist in the workspace.
    pub named_files: u32,
    /// Attempts of this round that failed before.
    pub earlier_failures: u32,
}

/// What the rules found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Assessment {
    /// How hard it looks: 0 the lowest tier, 1 the middle, 2 the highest.
    pub difficulty: u8,
    /// Each rule that spoke, in one sentence.
    pub reasons: Vec<String>,
}

/// One rule over the words of the task.
struct WordRule {
    name: &'static str,
    weight: u32,
    words: &'static [&'static str],
}

const WORD_RULES: &[WordRule] = &[
    WordRule {
        name: "architecture",
        weight: 3,
        words: &[
            "architecture",
            "architect",
            "redesign",
            "rearchitect",
            "rewrite",
            "protocol",
            "concurrency",
        ],
    },
    WordRule {
        name: "debugging",
        weight: 2,
        words: &[
            "debug",
            "flaky",
            "intermittent",
            "race",
            "deadlock",
            "leak",
            "segfault",
            "regression",
            "hang",
            "hangs",
        ],
    },
    WordRule {
        name: "research",
        weight: 2,
        words: &[
            "research",
            "investigate",
            "evaluate",
            "compare",
            "survey",
            "analyse",
            "analyze",
        ],
    },
    WordRule {
        name: "multi-file",
        weight: 2,
        words: &[
            "refactor",
            "everywhere",
            "codebase",
            "migrate",
            "migration",
            "monorepo",
            "modules",
            "across",
        ],
    },
];

/// Three named files make a task that spans files.
const MANY_FILES: u32 = 3;

/// Applies the rules.
pub fn assess(definition: &Definition, survey: &Survey) -> Assessment {
    let words = words_of(definition);
    let mut weight = 0;
    let mut reasons = Vec::new();
    for rule in WORD_RULES {
        let found: Vec<&str> = rule
            .words
            .iter()
            .copied()
            .filter(|w| words.iter().any(|x| x == w))
            .collect();
        if !found.is_empty() {
            weight += rule.weight;
            reasons.push(format!("{}: the text says {}", rule.name, found.join(", ")));
        }
    }
    if survey.named_files >= MANY_FILES {
        weight += 2;
        reasons.push(format!(
            "multi-file: the text names {} files of the workspace",
            survey.named_files
        ));
    }
    if survey.earlier_failures > 0 {
        weight += 2 * survey.earlier_failures;
        reasons.push(format!(
            "earlier failures: {} in this round",
            survey.earlier_failures
        ));
    }
    if reasons.is_empty() {
        reasons.push("no rule spoke: it looks small".to_owned());
    }
    Assessment {
        difficulty: difficulty(weight),
        reasons,
    }
}

fn difficulty(weight: u32) -> u8 {
    match weight {
        0..=1 => 0,
        2..=4 => 1,
        _ => 2,
    }
}

fn words_of(definition: &Definition) -> Vec<String> {
    let text = format!("{} {}", definition.title, definition.description).to_lowercase();
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Tokens of the text that look like paths, for the caller to look up in the workspace.
pub fn named_paths(definition: &Definition) -> Vec<String> {
    let text = format!(
        "{} {} {}",
        definition.title, definition.description, definition.context
    );
    let mark = |c: char| "`'\"()[]{},;:!?*".contains(c);
    let trim = |t: &str| {
        t.trim_start_matches(mark)
            .trim_end_matches(|c| mark(c) || c == '.')
            .to_owned()
    };
    let mut paths: Vec<String> = text
        .split_whitespace()
        .map(trim)
        .filter(|t| looks_like_a_path(t))
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

fn looks_like_a_path(token: &str) -> bool {
    let name = token.rsplit('/').next().unwrap_or(token);
    let has_ending = name.rsplit_once('.').is_some_and(|(stem, ending)| {
        !stem.is_empty()
            && (1..=5).contains(&ending.len())
            && ending.chars().all(|c| c.is_ascii_alphanumeric())
    });
    let plain = token
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    plain && !token.starts_with('/') && !token.contains("..") && has_ending
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Definition {
        Definition {
            description: text.to_owned(),
            ..Definition::default()
        }
    }

    #[test]
    fn rules_and_their_difficulty() {
        let rows = [
            ("Fix the typo in the README", 0, 0, 0),
            ("Investigate the latency", 0, 0, 1),
            ("Debug the flaky login test", 0, 0, 1),
            (
                "Redesign the architecture of the sync protocol and migrate everywhere",
                0,
                0,
                2,
            ),
            ("Rename a field", 3, 0, 1),
            ("Rename a field", 2, 0, 0),
            ("Rename a field", 0, 1, 1),
            ("Rename a field", 0, 3, 2),
            ("The grace period", 0, 0, 0),
        ];
        for (text, named_files, earlier_failures, difficulty) in rows {
            let found = assess(
                &said(text),
                &Survey {
                    named_files,
                    earlier_failures,
                },
            );
            assert_eq!(found.difficulty, difficulty, "{text}: {:?}", found.reasons);
            assert!(!found.reasons.is_empty());
        }
    }

    #[test]
    fn paths_in_prose() {
        let found = named_paths(&said(
            "See `src/a.rs`, (b/c.toml). Not /etc/passwd.txt, ../x.rs, e.g. or 3.5 words",
        ));
        assert_eq!(found, ["3.5", "b/c.toml", "e.g", "src/a.rs"].map(str::to_owned));
    }
}
