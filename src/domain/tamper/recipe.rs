//! What a check's short command stands for: scripts of package.json, recipes of a Makefile or a justfile.

use std::collections::{BTreeMap, BTreeSet};

use super::path::name;
use super::{Finding, What};

/// Beginnings of names of scripts and targets that check something.
const CHECKS: [&str; 16] = [
    "test",
    "pretest",
    "posttest",
    "check",
    "lint",
    "build",
    "prebuild",
    "ci",
    "verify",
    "validate",
    "typecheck",
    "type-check",
    "coverage",
    "clippy",
    "spec",
    "e2e",
];
/// What lets a command fail without notice.
const SWALLOWS: [&str; 9] = [
    "|| true",
    "|| :",
    "||true",
    "exit 0",
    "|| exit 0",
    "; true",
    "--passWithNoTests",
    "set +e",
    "|| echo",
];

fn checks(name: &str) -> bool {
    CHECKS.iter().any(|start| {
        let rest = name.strip_prefix(start);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '-', '_', '.', 's']))
    })
}

fn is_makefile(path: &str) -> bool {
    let file = name(path);
    ["makefile", "gnumakefile", "justfile", ".justfile"].contains(&file.to_ascii_lowercase().as_str())
        || file.ends_with(".mk")
}

/// Whether it is such a file.
pub(super) fn is_one(path: &str) -> bool {
    name(path) == "package.json" || is_makefile(path)
}

/// Whether a check stands in it.
pub(super) fn guards(path: &str, text: &str) -> bool {
    match name(path) {
        "package.json" => !scripts(text).is_empty(),
        _ => Makefile::read(text).targets.keys().any(|t| checks(t)),
    }
}

/// The commands that its checks run, for all that are named like checks.
pub(super) fn commands(path: &str, text: &str) -> Vec<String> {
    match name(path) {
        "package.json" => scripts(text).into_values().collect(),
        _ if is_makefile(path) => {
            let makefile = Makefile::read(text);
            let wanted = makefile.reached();
            let targets = makefile.targets.iter().filter(|(name, _)| wanted.contains(*name));
            targets
                .flat_map(|(_, t)| t.recipe.iter().map(|(_, line)| line.clone()))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// A new file that make reads in the place of the one that was there.
pub(super) fn arrived(path: &str, commands: &[String]) -> Vec<Finding> {
    let make = commands
        .iter()
        .any(|c| c.split_whitespace().next() == Some("make"));
    match make && matches!(path, "GNUmakefile" | "makefile") {
        true => vec![Finding::new(
            path,
            1,
            What::Shadows,
            "",
            "make reads it before Makefile",
        )],
        false => Vec::new(),
    }
}

/// What is looser than it was.
pub(super) fn loosened(path: &str, was: &str, is: &str, commands: &[String]) -> Vec<Finding> {
    match name(path) {
        "package.json" => package(path, was, is),
        _ if is_makefile(path) => makefile(path, was, is, commands),
        _ => Vec::new(),
    }
}

/// The scripts of a package that check something, in one line each.
fn scripts(text: &str) -> BTreeMap<String, String> {
    let manifest: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let scripts = manifest["scripts"].as_object().into_iter().flatten();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    scripts
        .filter(|(name, _)| checks(name))
        .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
        .filter(|(_, body)| !body.contains("no test specified"))
        .collect()
}

fn package(path: &str, was: &str, is: &str) -> Vec<Finding> {
    let line = |word: &str| {
        let quoted = format!("\"{word}\"");
        is.lines().position(|l| l.contains(&quoted)).map_or(1, |n| n + 1)
    };
    let now = scripts(is);
    let mut found = Vec::new();
    for (name, body) in scripts(was) {
        let kept = now.get(&name).is_some_and(|new| extends(&body, new));
        if !kept {
            let is = now
                .get(&name)
                .map_or(String::new(), |new| format!("{name}: {new}"));
            found.push(Finding::new(
                path,
                line(&name),
                What::Configuration,
                &format!("{name}: {body}"),
                &is,
            ));
        }
    }
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    let (before, after) = (parsed(was), parsed(is));
    for tool in [
        "jest",
        "mocha",
        "ava",
        "c8",
        "nyc",
        "vitest",
        "eslintConfig",
        "tap",
        "lint-staged",
    ] {
        let (a, b) = (&before[tool], &after[tool]);
        if a != b && (!a.is_null() || b.to_string().to_ascii_lowercase().contains("ignore")) {
            found.push(Finding::new(
                path,
                line(tool),
                What::Configuration,
                &a.to_string(),
                &b.to_string(),
            ));
        }
    }
    found
}

/// Whether a command still runs all that it ran, and still fails where that fails.
fn extends(was: &str, is: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        let part = |p: &str| p.split_whitespace().collect::<Vec<_>>().join(" ");
        text.split("&&").map(part).collect()
    };
    let now = parts(is);
    let swallows = SWALLOWS.iter().any(|s| is.contains(s) && !was.contains(s));
    let ended = |p: &String| now.iter().any(|n| n == p);
    !swallows && parts(was).iter().all(ended) && !is.contains(";")
        || was.split_whitespace().eq(is.split_whitespace())
}

#[derive(Default)]
struct Target {
    line: usize,
    needs: Vec<String>,
    recipe: Vec<(usize, String)>,
}

#[derive(Default)]
struct Makefile {
    targets: BTreeMap<String, Target>,
    variables: BTreeMap<String, (usize, String)>,
}

impl Makefile {
    fn read(text: &str) -> Self {
        let mut makefile = Self::default();
        let mut current: Vec<String> = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let bare = line.trim();
            if bare.is_empty() || bare.starts_with('#') {
                continue;
            }
            if line.starts_with(['\t', ' ']) {
                for name in &current {
                    let target = makefile.targets.entry(name.clone()).or_default();
                    target
                        .recipe
                        .push((n + 1, bare.trim_start_matches('@').to_owned()));
                }
                continue;
            }
            current = makefile.head(n + 1, bare);
        }
        makefile
    }

    /// A line that is no recipe: the targets that it begins.
    fn head(&mut self, number: usize, line: &str) -> Vec<String> {
        let line = line.split(" #").next().unwrap_or(line);
        let colon = line
            .find(':')
            .filter(|at| !line[at + 1..].starts_with(['=', ':']));
        let equals = line.find('=');
        match (colon, equals) {
            (_, Some(at)) if colon.is_none_or(|c| c > at) => {
                let name = line[..at].trim_end_matches([':', '?', '+', '!']).trim();
                let name = name.trim_start_matches("export ").trim().to_owned();
                self.variables.insert(name, (number, line.to_owned()));
                Vec::new()
            }
            (Some(at), _) => {
                let names: Vec<String> = line[..at]
                    .split_whitespace()
                    .take(50)
                    .map(str::to_owned)
                    .collect();
                for name in &names {
                    let target = self.targets.entry(name.clone()).or_default();
                    target.line = number;
                    target
                        .needs
                        .extend(line[at + 1..].split_whitespace().map(str::to_owned));
                }
                names
            }
            _ => Vec::new(),
        }
    }

    /// The targets that are named like checks, and what they need.
    fn reached(&self) -> BTreeSet<String> {
        let mut reached: BTreeSet<String> = BTreeSet::new();
        let mut open: Vec<&String> = self.targets.keys().filter(|t| checks(t)).collect();
        while let Some(name) = open.pop() {
            if reached.insert(name.clone()) {
                open.extend(self.targets.get(name).into_iter().flat_map(|t| &t.needs));
            }
        }
        reached
    }
}

fn makefile(path: &str, was: &str, is: &str, commands: &[String]) -> Vec<Finding> {
    let (old, new) = (Makefile::read(was), Makefile::read(is));
    let mut wanted = old.reached();
    for command in commands {
        let words = command
            .split_whitespace()
            .filter(|w| old.targets.contains_key(*w));
        wanted.extend(words.map(str::to_owned));
    }
    let finding = |line: usize, was: &str, is: &str| Finding::new(path, line, What::Configuration, was, is);
    let mut found = Vec::new();
    let mut text = String::new();
    for (name, target) in old.targets.iter().filter(|(name, _)| wanted.contains(*name)) {
        let lines = target.recipe.iter().map(|(_, line)| line.as_str());
        text.extend(lines.chain(target.needs.iter().map(String::as_str)));
        match new.targets.get(name) {
            None => found.push(finding(target.line, &format!("{name}:"), "")),
            Some(now) => {
                found.extend(recipe(name, target, now).map(|(line, was, is)| finding(line, &was, &is)))
            }
        }
    }
    for (name, (line, now)) in &new.variables {
        let before = old.variables.get(name).map(|(_, text)| text);
        let used = text.contains(&format!("({name})")) || text.contains(&format!("{{{name}}}"));
        let switch = ["SHELL", ".SHELLFLAGS", "MAKEFLAGS"].contains(&name.as_str());
        if before != Some(now) && (switch || (used && before.is_some())) {
            found.push(finding(*line, before.map_or("", |b| b), now));
        }
    }
    for mark in [".IGNORE", ".SILENT"] {
        if let (None, Some(now)) = (
            old.targets.get(mark),
            new.targets.get(mark).filter(|_| mark == ".IGNORE"),
        ) {
            found.push(finding(now.line, "", mark));
        }
    }
    found
}

/// A recipe that lost a line or a prerequisite, or that lets a line fail.
fn recipe<'t>(
    name: &'t str,
    was: &'t Target,
    is: &'t Target,
) -> impl Iterator<Item = (usize, String, String)> + 't {
    let now: BTreeSet<&str> = is.recipe.iter().map(|(_, l)| l.as_str()).collect();
    let before: BTreeSet<&str> = was.recipe.iter().map(|(_, l)| l.as_str()).collect();
    let first_new = is.recipe.iter().find(|(_, l)| !before.contains(l.as_str()));
    let gone = was
        .recipe
        .iter()
        .find(|(_, l)| !now.contains(l.as_str()) && !is_talk(l));
    let lost = gone.map(|(_, line)| {
        let (at, text) = first_new.map_or((is.line, String::new()), |(n, l)| (*n, l.clone()));
        (at, format!("{name}: {line}"), text)
    });
    let still: BTreeSet<&str> = is.needs.iter().map(String::as_str).collect();
    let needs = was.needs.iter().find(|need| !still.contains(need.as_str()));
    let needs = needs.map(|need| (is.line, format!("{name}: {need}"), String::new()));
    let swallowed = is.recipe.iter().find(|(_, l)| {
        !before.contains(l.as_str()) && (l.starts_with('-') || SWALLOWS.iter().any(|s| l.contains(s)))
    });
    let swallowed = swallowed.map(|(n, l)| (*n, String::new(), format!("{name}: {l}")));
    lost.into_iter().chain(needs).chain(swallowed)
}

fn is_talk(line: &str) -> bool {
    line.starts_with("echo ") && !line.contains(['|', '>', ';', '&'])
}
