//! What a file is, by its path: a test, a snapshot, the configuration of a check, or neither.

/// A language whose tests are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// Rust
    Rust,
    /// Python
    Python,
    /// JavaScript and TypeScript
    Script,
    /// Go
    Go,
    /// Java, and Kotlin as far as it looks alike
    Java,
    /// Shell scripts, bats among them
    Shell,
}

/// Folders whose files are tests.
const FOLDERS: [&str; 8] = [
    "test",
    "tests",
    "__tests__",
    "spec",
    "specs",
    "e2e",
    "androidTest",
    "integration-tests",
];
/// Folders whose files say what is expected.
const EXPECTED: [&str; 8] = [
    "__snapshots__",
    "__image_snapshots__",
    "snapshots",
    "golden",
    "goldens",
    "goldenfiles",
    "expected",
    "approvals",
];
/// Ends of names of files that say what is expected.
const EXPECTED_ENDS: [&str; 6] = [
    ".snap",
    ".snap.new",
    ".golden",
    ".expected",
    ".approved.txt",
    ".ambr",
];

/// The last part of a path.
pub(super) fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn folders(path: &str) -> impl Iterator<Item = &str> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    folder.split('/').filter(|part| !part.is_empty())
}

fn extension(path: &str) -> &str {
    name(path).rsplit_once('.').map_or("", |(_, ext)| ext)
}

/// The language of a source file.
pub(super) fn language(path: &str) -> Option<Language> {
    Some(match extension(path) {
        "rs" => Language::Rust,
        "py" | "pyi" => Language::Python,
        "js" | "jsx" | "ts" | "tsx" | "mjs" | "cjs" | "mts" | "cts" => Language::Script,
        "go" => Language::Go,
        "java" | "kt" => Language::Java,
        "sh" | "bash" | "bats" => Language::Shell,
        _ => return None,
    })
}

/// Whether it is a file of tests by its place or its name.
pub(super) fn is_test(path: &str) -> bool {
    folders(path).any(|part| FOLDERS.contains(&part)) || is_named_as_test(path)
}

/// Whether its name alone says so.
fn is_named_as_test(path: &str) -> bool {
    let name = name(path);
    let stem = name.split('.').next().unwrap_or(name);
    let dotted = [
        ".test.", ".spec.", ".cy.", "_test.", "_tests.", "-test.", "_spec.",
    ];
    dotted.iter().any(|mark| name.contains(mark))
        || ["test", "tests", "run_tests", "run-tests", "conftest"].contains(&stem)
        || extension(path) == "bats"
        || (extension(path) == "py" && stem.starts_with("test_"))
        || (extension(path) == "sh" && (stem.starts_with("test-") || stem.starts_with("test_")))
        || (matches!(extension(path), "java" | "kt")
            && (["Test", "Tests", "IT", "Spec"].iter().any(|e| stem.ends_with(e))
                || stem.starts_with("Test")))
}

/// Whether the tests in it are found by the usual tools: by its name, for the languages where that counts.
pub(super) fn is_collected(path: &str) -> bool {
    let (name, stem) = (name(path), name(path).split('.').next().unwrap_or_default());
    match language(path) {
        Some(Language::Rust) => true,
        Some(Language::Python) => stem.starts_with("test_") || stem.ends_with("_test") || stem == "tests",
        Some(Language::Go) => name.ends_with("_test.go") && !is_passed_by(path),
        Some(Language::Script) => is_test(path),
        Some(Language::Java | Language::Shell) => is_test(path),
        None => false,
    }
}

/// Whether Go does not look at the file: by its folder, or because it is for another system.
fn is_passed_by(path: &str) -> bool {
    const SYSTEMS: [&str; 12] = [
        "windows", "darwin", "freebsd", "plan9", "js", "wasm", "solaris", "aix", "android", "ios", "netbsd",
        "openbsd",
    ];
    let hidden = |part: &str| part == "testdata" || part.starts_with(['_', '.']);
    let stem = name(path).trim_end_matches("_test.go");
    let system = stem
        .rsplit('_')
        .next()
        .is_some_and(|last| SYSTEMS.contains(&last));
    folders(path).any(hidden) || (system && stem.contains('_'))
}

/// Whether it holds what a test expects: a snapshot or a golden file.
pub(super) fn is_expected(path: &str) -> bool {
    let name = name(path);
    if EXPECTED_ENDS.iter().any(|end| name.ends_with(end)) {
        return true;
    }
    let beside = matches!(extension(path), "stdout" | "stderr") && is_test(path);
    beside || (language(path).is_none() && folders(path).any(|part| EXPECTED.contains(&part)))
}

/// Whether it is a definition of continuous integration.
pub(super) fn is_ci(path: &str) -> bool {
    let file = name(path);
    let yaml = matches!(extension(path), "yml" | "yaml");
    let folders: Vec<&str> = folders(path).collect();
    let within = |a: &str, b: &str| folders.windows(2).any(|w| w == [a, b]);
    let hosted = [".github", ".gitea", ".forgejo"];
    let hosted = hosted
        .iter()
        .any(|host| within(host, "workflows") || within(host, "actions"));
    let service = [".circleci", ".woodpecker", ".buildkite"]
        .iter()
        .any(|folder| folders.contains(folder));
    let named = file.starts_with(".gitlab-ci") || file.starts_with("azure-pipelines");
    let own = [
        "Jenkinsfile",
        ".travis.yml",
        ".drone.yml",
        "bitbucket-pipelines.yml",
        ".woodpecker.yml",
        ".cirrus.yml",
    ];
    (yaml && (hosted || service || named)) || own.contains(&file)
}

/// Whether a setting in it can turn a tool round, or a module begin with it.
pub(super) fn turns_tool(path: &str) -> bool {
    const NAMES: [&str; 9] = [
        ".npmrc",
        ".yarnrc",
        ".yarnrc.yml",
        "rust-toolchain",
        "rust-toolchain.toml",
        "maven.config",
        "jvm.config",
        "gradle.properties",
        "go.mod",
    ];
    NAMES.contains(&name(path))
}

/// Whether the file, at the top, takes the place of a tool that runs tests or of what it imports first.
pub(super) fn shadows_tool(path: &str) -> bool {
    let top = path.split('/').next().unwrap_or(path);
    let module = top.strip_suffix(".py").unwrap_or(top);
    let python = extension(path) == "py"
        && matches!(
            module,
            "pytest" | "_pytest" | "unittest" | "sitecustomize" | "usercustomize" | "nose"
        );
    python || name(path) == "sitecustomize.py"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_known_by_place_and_name() {
        for (path, wanted) in [
            ("tests/it/a.rs", true),
            ("src/domain/tests.rs", true),
            ("src/a_test.go", true),
            ("pkg/test_x.py", true),
            ("src/x.test.tsx", true),
            ("src/x.spec.ts", true),
            ("src/test/java/AppTest.java", true),
            ("test.sh", true),
            ("src/testimony.rs", false),
            ("src/attest.py", false),
            ("src/latest.js", false),
            ("README.md", false),
            ("contest/x.py", false),
        ] {
            assert_eq!(is_test(path), wanted, "{path}");
        }
    }

    #[test]
    fn what_is_expected_is_data() {
        assert!(is_expected("src/snapshots/a.snap") && is_expected("t/golden/x.json"));
        assert!(is_expected("tests/ui/a.stderr"));
        assert!(!is_expected("src/snapshots/mod.rs") && !is_expected("src/a.stderr"));
    }

    #[test]
    fn continuous_integration_is_known() {
        assert!(is_ci(".github/workflows/ci.yml") && is_ci("sub/.gitea/workflows/a.yaml"));
        assert!(is_ci(".gitlab-ci.yml") && is_ci("Jenkinsfile"));
        assert!(!is_ci(".github/dependabot.yml") && !is_ci("docs/ci.yml"));
    }
}
