//! Checks at a commit, and what they add up to.

use super::super::glob;
use super::Expect;

/// One check that a forge shows at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name, or a status' context.
    pub name: String,
    /// How it stands.
    pub state: CheckState,
    /// The forge's own word for that.
    pub word: String,
    /// Where its output is, where the forge says so.
    pub url: Option<String>,
    /// What it says about itself, cut by the forge or the adapter.
    pub summary: String,
}

/// How a check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// It ended well.
    Green,
    /// It has not ended.
    Running,
    /// It ended badly.
    Red,
    /// It ended and says nothing (neutral, skipped, stale, cancelled, or a word that nobody knows): not green, and it
    /// will not become so by itself.
    Void,
}

/// The checks at a commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checks {
    /// Those that showed up.
    pub found: Vec<Check>,
    /// Those that the forge requires for the base.
    pub required: Vec<Required>,
}

/// A check that must be green.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Required {
    /// Its name.
    pub name: String,
    /// Whether `*` and `?` in it stand for any text and any letter.
    pub pattern: bool,
}

impl Required {
    /// Exactly this name.
    pub fn exactly(name: impl Into<String>) -> Self {
        let name = name.into();
        Self { name, pattern: false }
    }

    fn means(&self, name: &str) -> bool {
        self.name == name || (self.pattern && glob::fits_text(&self.name, name))
    }
}

/// The checks that count, by how they stand. Empty all over means green.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Judgement {
    pub(super) missing: Vec<String>,
    pub(super) running: Vec<Check>,
    pub(super) red: Vec<Check>,
    pub(super) void: Vec<Check>,
}

impl Judgement {
    pub(super) fn is_green(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, check: &Check) {
        let list = match check.state {
            CheckState::Green => return,
            CheckState::Running => &mut self.running,
            CheckState::Red => &mut self.red,
            CheckState::Void => &mut self.void,
        };
        if !list.contains(check) {
            list.push(check.clone());
        }
    }
}

/// What the checks add up to. Several of one name must all be green.
pub(super) fn judge(checks: &Checks, expect: &Expect) -> Judgement {
    let mut judgement = Judgement::default();
    let required = required(checks, expect);
    for wanted in &required {
        let mut of = checks.found.iter().filter(|c| wanted.means(&c.name)).peekable();
        if of.peek().is_none() {
            judgement.missing.push(wanted.name.clone());
        }
        of.for_each(|check| judgement.add(check));
    }
    if required.is_empty() && *expect == Expect::Any {
        if checks.found.is_empty() {
            judgement.missing.push("any check".to_owned());
        }
        checks.found.iter().for_each(|check| judgement.add(check));
    }
    judgement
}

fn required(checks: &Checks, expect: &Expect) -> Vec<Required> {
    let mut all = checks.required.clone();
    if let Expect::Named(names) = expect {
        all.extend(names.iter().map(Required::exactly));
    }
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, state: CheckState) -> Check {
        Check {
            name: name.to_owned(),
            state,
            word: String::new(),
            url: None,
            summary: String::new(),
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("ci/*", "ci/build", true),
            ("ci/*", "ci/build/linux", true),
            ("ci/*", "cd/build", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xaxbxab", true),
            ("*a*b", "xaxbxa", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(glob::fits_text(pattern, text), fits, "{pattern} {text}");
        }
        assert!(!Required::exactly("ci/*").means("ci/build"));
    }

    #[test]
    fn what_is_required_decides() {
        use CheckState::{Green, Red, Running, Void};
        let named = Expect::Named(vec!["build".to_owned()]);
        for (found, required, expect, wanted) in [
            (vec![], vec![], &Expect::Any, "missing any check"),
            (vec![], vec![], &Expect::Nothing, "green"),
            (vec![], vec![], &named, "missing build"),
            (vec![("build", Green)], vec![], &named, "green"),
            (vec![("build", Green), ("other", Red)], vec![], &named, "green"),
            (
                vec![("build", Green), ("other", Red)],
                vec![],
                &Expect::Any,
                "red other",
            ),
            (
                vec![("build", Green), ("build", Red)],
                vec![],
                &named,
                "red build",
            ),
            (
                vec![("build", Green), ("x", Void)],
                vec![],
                &Expect::Any,
                "void x",
            ),
            (vec![("build", Running)], vec![], &named, "running build"),
            (vec![("build", Green)], vec!["lint"], &named, "missing lint"),
            (vec![("build", Green)], vec!["lint"], &Expect::Any, "missing lint"),
            (
                vec![("build", Green)],
                vec!["lint"],
                &Expect::Nothing,
                "missing lint",
            ),
            (
                vec![("lint", Green), ("x", Red)],
                vec!["lint"],
                &Expect::Any,
                "green",
            ),
        ] {
            let checks = Checks {
                found: found.iter().map(|(n, s)| check(n, *s)).collect(),
                required: required.iter().copied().map(Required::exactly).collect(),
            };
            assert_eq!(
                told(&judge(&checks, expect)),
                wanted,
                "{found:?} {required:?} {expect:?}"
            );
        }
    }

    fn told(judgement: &Judgement) -> String {
        let names = |list: &[Check]| list.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
        let lists = [
            ("missing", judgement.missing.clone()),
            ("running", names(&judgement.running)),
            ("red", names(&judgement.red)),
            ("void", names(&judgement.void)),
        ];
        let told: Vec<String> = lists
            .iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(word, list)| format!("{word} {}", list.join(" ")))
            .collect();
        if told.is_empty() {
            "green".to_owned()
        } else {
            told.join(", ")
        }
    }
}
