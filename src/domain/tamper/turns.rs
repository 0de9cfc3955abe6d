//! What turns a test tool round without a change of any test: hooks, options that select, another program in its place,
//! modules of their own.

use super::path::{is_test, language, name};
use super::sheet::code;
use super::{Change, Finding, Language, Side, What};

/// Hooks of pytest that choose no test and turn no result.
const HARMLESS: [&str; 5] = [
    "pytest_addoption",
    "pytest_report_header",
    "pytest_terminal_summary",
    "pytest_generate_tests",
    "pytest_make_parametrize_id",
];
/// Words by which a harmless-looking hook does so all the same.
const TURNING: [&str; 5] = ["config.option", "_exit", "exit(", "collectonly", "keyword"];
/// Keys of npm's and yarn's settings that name what runs scripts, or what is loaded before them.
const RUNNERS: [&str; 7] = [
    "script-shell",
    "scriptshell",
    "node-options",
    "nodeoptions",
    "ignore-scripts",
    "yarn-path",
    "yarnpath",
];

/// What of this is new in a file.
pub(super) fn turned(path: &str, was: &str, is: &str) -> Vec<Finding> {
    let file = name(path);
    let lines: fn(&str) -> bool = match file {
        "conftest.py" => |_| false,
        ".npmrc" | ".yarnrc" | ".yarnrc.yml" => |line| RUNNERS.iter().any(|key| starts_with(line, key)),
        "pytest.ini" | ".pytest.ini" | "pyproject.toml" | "setup.cfg" | "tox.ini" => selects,
        "rust-toolchain" | "rust-toolchain.toml" => |line| starts_with(line, "path"),
        "maven.config" | "jvm.config" | "gradle.properties" => {
            |line| line.contains("-Dskip") || line.contains("skipTests") || line.contains("maven.test.")
        }
        _ if super::recipe::is_one(path) => |line| {
            ["include ", "-include ", "sinclude ", "import ", "import? "]
                .iter()
                .any(|word| line.starts_with(word))
        },
        _ => |_| false,
    };
    let mut found = of_lines(path, was, is, lines, What::Configuration);
    match (file, language(path)) {
        ("conftest.py", _) => found.extend(hooks(path, was, is)),
        (_, Some(Language::Python)) if is_test(path) || file == "__init__.py" => {
            let chooses = |line: &str| line.starts_with("def load_tests");
            found.extend(of_lines(path, was, is, chooses, What::Skipped));
        }
        (_, Some(Language::Go)) if file.ends_with("_test.go") => {
            let main = |line: &str| line.starts_with("func TestMain(");
            if !is.contains(".Run()") {
                found.extend(of_lines(path, was, is, main, What::Skipped));
            }
        }
        _ => {}
    }
    if file == "Cargo.toml" {
        found.extend(targets(path, was, is));
    }
    found
}

fn starts_with(line: &str, key: &str) -> bool {
    let rest = line
        .get(..key.len())
        .filter(|start| start.eq_ignore_ascii_case(key));
    rest.is_some() && line[key.len()..].trim_start().starts_with(['=', ':', ' '])
}

/// Lines of the second text, without comments, that the first one has not.
fn of_lines(path: &str, was: &str, is: &str, wanted: impl Fn(&str) -> bool, what: What) -> Vec<Finding> {
    let before: Vec<&str> = was.lines().map(code).collect();
    let new = is.lines().map(code).enumerate();
    let new = new.filter(|(_, line)| !line.is_empty() && wanted(line) && !before.contains(line));
    new.map(|(n, line)| Finding::new(path, n + 1, what, "", line))
        .collect()
}

/// Settings of pytest by which it looks for other tests than those that people know as such, or loads a plugin.
fn selects(line: &str) -> bool {
    let value = line.split_once(['=', ':']).map_or("", |(_, value)| value);
    let names = ["python_files", "python_classes", "python_functions"]
        .iter()
        .any(|key| starts_with(line, key));
    let usual = ["test_*", "*_test", "tests.py", "Test*", "test*"];
    let places = starts_with(line, "testpaths") && !value.contains("test");
    let plugin = line.contains("addopts")
        && value
            .split_whitespace()
            .any(|w| w.trim_matches(['"', '\'']) == "-p");
    let off =
        value.matches("no:").count() > 0 && value.matches("-p ").count() == value.matches("-p no:").count();
    (names && !usual.iter().any(|word| value.contains(word))) || places || (plugin && !off)
}

/// Hooks of a `conftest.py` that choose tests or turn their results.
fn hooks(path: &str, was: &str, is: &str) -> Vec<Finding> {
    let turns = TURNING
        .iter()
        .any(|word| is.contains(word) && !was.contains(word));
    let hook = |line: &str| {
        let line = line.trim_start_matches("async ");
        let named = line.strip_prefix("def pytest_");
        let name = named.and_then(|rest| rest.split('(').next());
        name.is_some_and(|name| {
            let harmless = name == "configure" || HARMLESS.iter().any(|known| known[7..] == *name);
            !harmless || turns
        })
    };
    of_lines(path, was, is, hook, What::Configuration)
}

/// `[[test]]` targets of Cargo that are built only on a condition, or from a file of another name.
fn targets(path: &str, was: &str, is: &str) -> Vec<Finding> {
    let off = |text: &str| -> Vec<(usize, String)> {
        let (mut within, mut target, mut found) = (false, String::new(), Vec::new());
        for (n, line) in text.lines().map(code).enumerate() {
            if line.starts_with('[') {
                within = line == "[[test]]";
            }
            let value = line
                .split_once('=')
                .map_or("", |(_, value)| value.trim().trim_matches('"'));
            if within && starts_with(line, "name") {
                value.clone_into(&mut target);
            }
            let usual = [format!("tests/{target}.rs"), format!("tests/{target}/main.rs")];
            let elsewhere = starts_with(line, "path") && !usual.iter().any(|place| place == value);
            if within && (elsewhere || starts_with(line, "required-features")) {
                found.push((n + 1, format!("{target}: {line}")));
            }
        }
        found
    };
    let before: Vec<String> = off(was).into_iter().map(|(_, line)| line).collect();
    let new = off(is).into_iter().filter(|(_, line)| !before.contains(line));
    new.map(|(n, line)| Finding::new(path, n, What::Configuration, "", &line))
        .collect()
}

/// A folder of the base that becomes a module of its own: `go test ./...` passes it by. One that comes with its module
/// takes nothing away.
pub(super) fn modules(changes: &[Change<'_>]) -> Vec<Finding> {
    let arrives = |c: &&Change<'_>| c.was == Side::Absent;
    let mut found = Vec::new();
    for change in changes.iter().filter(arrives) {
        let Some(folder) = change.path.strip_suffix("/go.mod") else {
            continue;
        };
        let below = |c: &&Change<'_>| c.path.ends_with(".go") && c.path.starts_with(&format!("{folder}/"));
        if !changes.iter().filter(arrives).any(|c| below(&c)) {
            let words = "a module of its own: go test ./... passes it by";
            found.push(Finding::new(change.path, 1, What::Shadows, "", words));
        }
    }
    found
}

/// Whether Rust compiles a file that is new: it stands where cargo looks, or a changed file names it.
pub(super) fn is_reached(path: &str, changes: &[Change<'_>]) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let root = matches!(
        parts[..],
        [.., "tests" | "benches" | "examples" | "bin", _]
            | [.., "tests" | "benches" | "examples" | "bin", _, "main.rs"]
            | [.., "lib.rs" | "main.rs"]
    );
    let stem = match parts[..] {
        [.., folder, "mod.rs"] => folder,
        _ => name(path).trim_end_matches(".rs"),
    };
    // A module that becomes a folder, or a file again, is named where it was.
    let moved = |c: &Change<'_>| {
        let other = c.path.trim_end_matches("/mod.rs").trim_end_matches(".rs");
        c.is == Side::Absent
            && c.path != path
            && other == path.trim_end_matches("/mod.rs").trim_end_matches(".rs")
    };
    let names = |c: &Change<'_>| match c.is {
        Side::Text(text) => text.lines().any(|line| {
            let line = line.trim();
            let module = line.trim_end_matches([';', '{', ' ']).rsplit(' ').next() == Some(stem);
            (module && line.contains("mod ")) || line.contains(&format!("{stem}.rs\""))
        }),
        _ => false,
    };
    root || changes.iter().any(|c| moved(c) || names(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &[(&str, &str, bool)] = &[
        (".npmrc", "script-shell=/bin/true\n", true),
        (".npmrc", "node-options = --require ./x.js", true),
        (".npmrc", "save-exact=true\n", false),
        ("pytest.ini", "[pytest]\naddopts = -p kind\n", true),
        (
            "pytest.ini",
            "[pytest]\naddopts = -q -p no:cacheprovider\n",
            false,
        ),
        ("pyproject.toml", "python_files = [\"only.py\"]", true),
        ("pyproject.toml", "python_files = [\"test_*.py\"]", false),
        ("setup.cfg", "testpaths = nothing\n", true),
        ("setup.cfg", "testpaths = tests\n", false),
        (
            "conftest.py",
            "def pytest_runtestloop(session):\n    return True\n",
            true,
        ),
        ("conftest.py", "def pytest_addoption(parser):\n    pass\n", false),
        (
            "conftest.py",
            "def pytest_configure(config):\n    config.addinivalue_line('markers', 'slow')\n",
            false,
        ),
        (
            "conftest.py",
            "def pytest_configure(config):\n    config.option.collectonly = True\n",
            true,
        ),
        (
            "tests/__init__.py",
            "def load_tests(a, b, c):\n    return b\n",
            true,
        ),
        ("a_test.go", "func TestMain(m *testing.M) {}\n", true),
        (
            "a_test.go",
            "func TestMain(m *testing.M) { os.Exit(m.Run()) }\n",
            false,
        ),
        ("Makefile", "include more.mk\n", true),
        (".mvn/maven.config", "-DskipTests\n", true),
        ("rust-toolchain.toml", "[toolchain]\npath = \"here\"\n", true),
        ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.90\"\n", false),
        (
            "Cargo.toml",
            "[[test]]\nname = \"it\"\nrequired-features = [\"x\"]\n",
            true,
        ),
        (
            "Cargo.toml",
            "[[test]]\nname = \"it\"\npath = \"src/easy.rs\"\n",
            true,
        ),
        (
            "Cargo.toml",
            "[[test]]\nname = \"it\"\npath = \"tests/it/main.rs\"\n",
            false,
        ),
    ];

    /// Seen to fail with each of the arms of `turned` taken out.
    #[test]
    fn what_turns_a_tool_is_seen() {
        for (path, is, wanted) in ROWS {
            assert_eq!(!turned(path, "", is).is_empty(), *wanted, "{path}: {is}");
            assert_eq!(turned(path, is, is), [], "{path}");
        }
    }

    #[test]
    fn a_rust_file_that_nobody_names_is_not_compiled() {
        let text = |path, is| Change {
            path,
            was: Side::Absent,
            is: Side::Text(is),
        };
        let gone = |path| Change {
            path,
            was: Side::Text(""),
            is: Side::Absent,
        };
        for (path, changes, wanted) in [
            ("tests/a.rs", vec![], true),
            ("tests/it/main.rs", vec![], true),
            ("tests/later/a.rs", vec![], false),
            ("src/a.rs", vec![], false),
            ("src/a.rs", vec![text("src/lib.rs", "pub mod a;\n")], true),
            (
                "src/a/tests.rs",
                vec![text("src/a.rs", "#[cfg(test)]\nmod tests;\n")],
                true,
            ),
            ("src/a/mod.rs", vec![gone("src/a.rs")], true),
            (
                "src/a/mod.rs",
                vec![text("src/lib.rs", "pub(crate) mod a;\n")],
                true,
            ),
        ] {
            assert_eq!(is_reached(path, &changes), wanted, "{path}");
        }
    }
}
