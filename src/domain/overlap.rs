//! Tasks that are likely to touch the same files of the same base: one after the other, where their work is merged.
//!
//! A guess, from what a task's text names, from its scope, and from what its earlier attempts changed. Guessed wrongly, a
//! task waits for another one's end, or two of them conflict, which the merge sees to.

use std::collections::BTreeSet;

use super::definition::Definition;
use super::glob;
use super::id::TaskId;
use super::policy::Policy;
use super::stage::{Destination, Stage};
use super::task::{State, Task};

/// So many changed files of an attempt are remembered.
pub const KEPT: usize = 200;

/// Ends of names by which a word is a file's.
const ENDS: [&str; 37] = [
    "c", "cc", "cfg", "cpp", "cs", "css", "go", "gradle", "h", "hpp", "html", "ini", "java", "js", "json",
    "jsx", "kt", "lock", "md", "php", "pl", "proto", "py", "rb", "rs", "scss", "sh", "sql", "swift", "toml",
    "ts", "tsx", "txt", "vue", "xml", "yaml", "yml",
];

/// The task at work that this one should wait for, and a file that both are likely to touch.
pub fn before<'a>(
    task: &Task,
    others: impl Iterator<Item = &'a Task>,
    policy: &Policy,
) -> Option<(&'a TaskId, String)> {
    let repository = merged_into(task, policy)?;
    let mut mine = None;
    for other in others.filter(|other| other.id != task.id && is_at_work(other)) {
        if merged_into(other, policy) != Some(repository) {
            continue;
        }
        let mine = mine.get_or_insert_with(|| likely(task));
        if let Some(path) = shared(mine, &likely(other)) {
            return Some((&other.id, path));
        }
    }
    None
}

/// The repository whose base the work goes into; none where it stays on its branch.
fn merged_into<'t>(task: &'t Task, policy: &Policy) -> Option<&'t str> {
    let workspace = task.definition.workspace.as_deref()?;
    (policy.destination(&task.definition) != Destination::Branch).then_some(workspace.trim_end_matches('/'))
}

/// Whether its work is under way and not merged. A pull request may wait for days, and holds nobody up.
fn is_at_work(task: &Task) -> bool {
    match &task.state {
        State::Validating { stage, .. } => !matches!(
            stage,
            Stage::Landing {
                to: Destination::PullRequest,
                ..
            }
        ),
        state => state.attempt().is_some(),
    }
}

/// The paths and patterns that a task is likely to touch.
fn likely(task: &Task) -> BTreeSet<String> {
    let mut paths: BTreeSet<String> = task.history.touched.iter().cloned().collect();
    let definition = &task.definition;
    paths.extend(definition.scope.iter().cloned());
    paths.extend(named(definition));
    paths
}

fn named(definition: &Definition) -> impl Iterator<Item = String> {
    let criteria = definition
        .acceptance
        .iter()
        .map(|criterion| criterion.text.as_str());
    let texts = [
        definition.title.as_str(),
        definition.description.as_str(),
        definition.context.as_str(),
    ];
    texts.into_iter().chain(criteria).flat_map(paths_in)
}

fn paths_in(text: &str) -> impl Iterator<Item = String> {
    let ends_word = |c: char| c.is_whitespace() || "`'\"()[]{}<>,;|".contains(c);
    text.split(ends_word).filter_map(path)
}

/// The path that a word is: a folder with its slash, or a file by its name's end; also with a line behind it.
fn path(word: &str) -> Option<String> {
    let word = word
        .split(':')
        .next()?
        .trim_end_matches('.')
        .trim_start_matches("./");
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/*@+".contains(c);
    if word.len() < 3 || !word.chars().all(plain) || !glob::is_inside(word) {
        return None;
    }
    let is_folder = word.ends_with('/') && word.len() > 3;
    let is_file = word
        .rsplit('/')
        .next()
        .and_then(|name| name.rsplit_once('.'))
        .is_some_and(|(stem, end)| !stem.is_empty() && ENDS.contains(&end.to_ascii_lowercase().as_str()));
    (is_folder || is_file).then(|| word.to_owned())
}

/// A path that both of them stand for.
fn shared(mine: &BTreeSet<String>, theirs: &BTreeSet<String>) -> Option<String> {
    let meet = |a: &str, b: &str| {
        let is_end =
            |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.ends_with('/'));
        a == b || is_end(a, b) || is_end(b, a) || glob::matches(a, b) || glob::matches(b, a)
    };
    mine.iter()
        .find(|path| theirs.iter().any(|other| meet(path, other)))
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_its_files() {
        let text = "Fix `src/audit.rs:40`, (see ./docs/) and Cargo.toml. Not: and/or, 1.5, e.g. v1.2.3, https://a.example/x.md, \
                    /etc/x.md, ../up.rs, README, a.b, migrations/*.sql.";
        let found: Vec<String> = paths_in(text).collect();
        assert_eq!(found, ["src/audit.rs", "docs/", "Cargo.toml", "migrations/*.sql"]);
    }

    #[test]
    fn paths_meet_where_one_stands_for_the_other() {
        let set = |paths: &[&str]| paths.iter().map(|p| (*p).to_owned()).collect::<BTreeSet<_>>();
        for (a, b, meet) in [
            ("src/a.rs", "src/a.rs", true),
            ("a.rs", "src/a.rs", true),
            ("src/", "src/deep/a.rs", true),
            ("src/**", "src/a.rs", true),
            ("*.md", "README.md", true),
            ("src/a.rs", "src/b.rs", false),
            ("a.rs", "src/ba.rs", false),
            ("src/", "srcs/a.rs", false),
        ] {
            assert_eq!(shared(&set(&[a]), &set(&[b])).is_some(), meet, "{a} {b}");
            assert_eq!(shared(&set(&[b]), &set(&[a])).is_some(), meet, "{b} {a}");
        }
        assert!(shared(&set(&[]), &set(&["a.rs"])).is_none());
    }
}
