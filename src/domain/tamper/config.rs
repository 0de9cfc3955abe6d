//! The configuration of test tools, linters, builds and continuous integration: which files it is in, and what in
//! them makes a check looser.

use super::path::{is_ci, name};
use super::sheet::{self, Style};
use super::{Finding, What};

/// Words that loosen wherever a linter or a test tool is configured.
const LOOSE: &[&str] = &[
    "ignore",
    "exclude",
    "omit",
    "skip",
    "disable",
    "off",
    "allow",
    "deselect",
    "xfail",
    "threshold",
    "max",
    "false",
    "norecurse",
    "passwithnotests",
    "no-verify",
    "collect",
    "runner",
    "alias",
    "wrapper",
    "bail",
    "nothing",
    " -k",
    "|| true",
    "exit 0",
    ": 0",
    "= 0",
];
/// The same where most lines speak of other things.
const HIDDEN: &[&str] = &[
    "skiptests",
    "maven.test.skip",
    "testfailureignore",
    "ignorefailures",
    "failonerror",
    "enabled = false",
    "exclude",
    "autotests = false",
    "doctest = false",
    "test = false",
    "harness = false",
    "|| true",
    "exit 0",
    "passwithnotests",
    "= \"allow\"",
    "level = \"allow\"",
    "testpathignore",
];
/// Sections of files that hold more than the configuration of checks.
const SECTIONS: &[&str] = &[
    "tool.pytest",
    "tool.ruff",
    "tool.mypy",
    "tool.coverage",
    "tool.pylint",
    "tool.flake8",
    "tool.pyright",
    "tool.tox",
    "tool.bandit",
    "tool:pytest",
    "pytest",
    "flake8",
    "mypy",
    "coverage",
    "pylint",
    "testenv",
    "lints",
    "workspace.lints",
    "test",
    "profile.test",
];

const WHOLE: Style = Style {
    sections: &[],
    words: &[],
    loose: LOOSE,
    free: &["$schema", "version", "cachedir", "cache_dir"],
    nested: true,
};
const PARTS: Style = Style {
    sections: SECTIONS,
    words: &[],
    loose: LOOSE,
    free: &["version"],
    nested: true,
};
const TYPES: Style = Style {
    sections: &[],
    words: &[
        "strict",
        "noimplicit",
        "nounused",
        "nounchecked",
        "nofallthrough",
        "skiplibcheck",
        "checkjs",
        "exclude",
        "alwaysstrict",
        "noemitonerror",
    ],
    loose: &["false", "exclude", "skiplibcheck"],
    free: &[],
    nested: true,
};
const BUILD: Style = Style {
    sections: &[],
    words: &[
        "test",
        "failure",
        "checkstyle",
        "spotbugs",
        "exclude",
        "enabled",
        "jacoco",
    ],
    loose: HIDDEN,
    free: &["version", "dependenc", "implementation", "artifactid", "groupid"],
    nested: true,
};
const SERVICE: Style = Style {
    sections: &[],
    words: &[],
    loose: &[
        "continue-on-error: true",
        "allow_failure",
        "|| true",
        "|| :",
        "exit 0",
        "if: false",
        "when: manual",
        "set +e",
        "passwithnotests",
        "no-verify",
        "skip",
        "paths-ignore",
        "branches-ignore",
        "fail-fast: true",
        "-dskiptests",
    ],
    free: &[
        "name",
        "uses",
        "runs-on",
        "image",
        "version",
        "cache",
        "key",
        "timeout",
        "concurrency",
        "group",
        "permissions",
        "path",
        "schedule",
        "cron",
        "ref",
    ],
    nested: false,
};

/// Files that are nothing but the configuration of a check.
const OWN: [&str; 26] = [
    "clippy.toml",
    ".clippy.toml",
    "pytest.ini",
    ".pytest.ini",
    "mypy.ini",
    ".mypy.ini",
    "ruff.toml",
    ".ruff.toml",
    ".flake8",
    ".pylintrc",
    "pylintrc",
    ".coveragerc",
    ".eslintignore",
    "biome.json",
    "biome.jsonc",
    "tslint.json",
    "codecov.yml",
    ".codecov.yml",
    "deny.toml",
    ".pre-commit-config.yaml",
    "nextest.toml",
    "checkstyle.xml",
    "tarpaulin.toml",
    "lefthook.yml",
    "pyrightconfig.json",
    "phpunit.xml",
];
/// Beginnings of such names.
const STARTS: [&str; 16] = [
    ".eslintrc",
    "eslint.config.",
    ".stylelintrc",
    "jest.config.",
    "vitest.config.",
    "vitest.workspace.",
    "vite.config.",
    "playwright.config.",
    "cypress.config.",
    ".mocharc",
    ".nycrc",
    ".c8rc",
    "karma.conf.",
    ".golangci.",
    "codecov.",
    "ava.config.",
];

fn style(path: &str) -> Option<&'static Style> {
    let file = name(path);
    if is_ci(path) {
        return Some(&SERVICE);
    }
    let types = file.starts_with("tsconfig") && file.ends_with(".json");
    match file {
        "pyproject.toml" | "setup.cfg" | "tox.ini" | "Cargo.toml" => Some(&PARTS),
        "pom.xml" | "build.gradle" | "build.gradle.kts" | "gradle.properties" => Some(&BUILD),
        "config.toml" | "config" if path.contains(".cargo/") => Some(&WHOLE),
        _ if types => Some(&TYPES),
        _ if OWN.contains(&file) || STARTS.iter().any(|s| file.starts_with(s)) => Some(&WHOLE),
        _ => None,
    }
}

/// Whether it is such a file.
pub(super) fn is_one(path: &str) -> bool {
    style(path).is_some() || name(path) == "conftest.py"
}

/// Whether its text configures a check at all.
pub(super) fn guards(path: &str, text: &str) -> bool {
    style(path).is_some_and(|style| sheet::says_something(style, text))
}

/// What is looser than it was.
pub(super) fn loosened(path: &str, was: &str, is: &str) -> Vec<Finding> {
    let mut found = ignores(path, was, is);
    let Some(style) = style(path) else {
        return found;
    };
    let what = if is_ci(path) {
        What::Integration
    } else {
        What::Configuration
    };
    let lines = sheet::looser(style, was, is);
    found.extend(
        lines
            .iter()
            .map(|l| Finding::new(path, l.line, what, &l.was, &l.is)),
    );
    if name(path) == "Cargo.toml" {
        found.extend(targets(path, was, is));
    }
    found
}

/// Words by which a `conftest.py` leaves tests out.
fn ignores(path: &str, was: &str, is: &str) -> Vec<Finding> {
    let word = "collect_ignore";
    if name(path) != "conftest.py" || !is.contains(word) || was.contains(word) {
        return Vec::new();
    }
    let line = is.lines().position(|l| l.contains(word)).map_or(1, |n| n + 1);
    vec![Finding::new(path, line, What::Configuration, "", word)]
}

/// Switches of `[package]`, `[lib]` and `[[test]]` that leave tests out.
fn targets(path: &str, was: &str, is: &str) -> Vec<Finding> {
    let off = |text: &str| -> Vec<(usize, String)> {
        let plain = |line: &str| sheet::code(line).split_whitespace().collect::<String>();
        let lines = text.lines().enumerate().map(|(n, line)| (n + 1, plain(line)));
        lines
            .filter(|(_, l)| {
                ["autotests=false", "doctest=false", "test=false", "harness=false"].contains(&l.as_str())
            })
            .collect()
    };
    let before: Vec<String> = off(was).into_iter().map(|(_, l)| l).collect();
    let new = off(is).into_iter().filter(|(_, l)| !before.contains(l));
    new.map(|(line, l)| Finding::new(path, line, What::Configuration, "", &l))
        .collect()
}

/// A text without comments, blank lines and indentation.
pub(super) fn bare(text: &str) -> String {
    let lines = text.lines().enumerate().map(|(n, line)| match line.trim() {
        first if n == 0 && first.starts_with("#!") => first,
        line if line.starts_with('#') || line.starts_with("//") => "",
        line => line,
    });
    lines.filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The first line that differs, from 1.
pub(super) fn first_difference(was: &str, is: &str) -> usize {
    let same = was.lines().zip(is.lines()).take_while(|(a, b)| a == b).count();
    same + 1
}
