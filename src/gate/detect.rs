//! Which checks a project brings along, from the names and manifests at the root of its tree.
//!
//! Pure once the files are read; nothing is ever run to find out. A Makefile speaks only where nothing else does.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::gate::{Category, CheckSource, CheckSpec};
use crate::workspace::{Root, Workspace, WorkspaceError};

/// Files whose text is looked at.
const MANIFESTS: [&str; 10] = [
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "setup.cfg",
    "pytest.ini",
    "tox.ini",
    "requirements.txt",
    "GNUmakefile",
    "makefile",
    "Makefile",
];

/// The root of a project's tree at one commit.
#[derive(Debug, Clone, Default)]
pub struct RootFiles {
    /// Names; folders end in `/`.
    pub names: BTreeSet<String>,
    /// The text of the manifests among them.
    pub texts: BTreeMap<String, String>,
}

impl RootFiles {
    /// Reads the worker's folder as it is at a commit, from the repository.
    pub async fn read(workspace: &Workspace, commit: &str) -> Result<Self, WorkspaceError> {
        let Root { names, texts } = workspace.root_at(commit, &MANIFESTS).await?;
        Ok(Self { names, texts })
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }
}

/// The checks of every kind of project that is found, build before tests.
pub fn detect(files: &RootFiles) -> Vec<CheckSpec> {
    let found = [rust(files), node(files), python(files), go(files), java(files)].concat();
    if found.is_empty() { make(files) } else { found }
}

fn check(name: &str, category: Category, run: impl Into<String>) -> CheckSpec {
    CheckSpec {
        name: name.to_owned(),
        category,
        run: run.into(),
        timeout: None,
        source: CheckSource::Detected,
    }
}

fn rust(files: &RootFiles) -> Vec<CheckSpec> {
    if !files.has("Cargo.toml") {
        return Vec::new();
    }
    let locked = if files.has("Cargo.lock") { " --locked" } else { "" };
    vec![
        check(
            "cargo build",
            Category::Build,
            format!("cargo build --all-targets{locked}"),
        ),
        check(
            "cargo test",
            Category::Functionality,
            format!("cargo test --no-fail-fast{locked}"),
        ),
    ]
}

fn node(files: &RootFiles) -> Vec<CheckSpec> {
    if !files.has("package.json") {
        return Vec::new();
    }
    let Ok(manifest) = serde_json::from_str::<serde_json::Value>(files.text("package.json")) else {
        // A manifest that cannot be read is a red build, not a project without checks.
        let run = "node -e 'JSON.parse(require(\"fs\").readFileSync(\"package.json\", \"utf8\"))'";
        return vec![check("package.json", Category::Build, run)];
    };
    let (runner, install) = package_runner(files);
    let needs = ["dependencies", "devDependencies", "optionalDependencies"];
    let mut checks = Vec::new();
    if needs
        .iter()
        .any(|k| manifest[*k].as_object().is_some_and(|o| !o.is_empty()))
    {
        checks.push(check("install", Category::Build, install));
    }
    for (script, category) in [
        ("build", Category::Build),
        ("lint", Category::Build),
        ("test", Category::Functionality),
    ] {
        let Some(body) = manifest["scripts"][script].as_str() else {
            continue;
        };
        if !body.contains("no test specified") {
            checks.push(check(
                &format!("{script} script"),
                category,
                format!("{runner} run {script}"),
            ));
        }
    }
    checks
}

fn package_runner(files: &RootFiles) -> (&'static str, &'static str) {
    if files.has("pnpm-lock.yaml") {
        ("pnpm", "pnpm install --frozen-lockfile")
    } else if files.has("yarn.lock") {
        ("yarn", "yarn install --frozen-lockfile")
    } else if files.has("package-lock.json") || files.has("npm-shrinkwrap.json") {
        ("npm", "npm ci --no-audit --no-fund")
    } else {
        ("npm", "npm install --no-package-lock --no-audit --no-fund")
    }
}

fn python(files: &RootFiles) -> Vec<CheckSpec> {
    let marks = ["pyproject.toml", "setup.py", "setup.cfg", "requirements.txt"];
    if !marks.iter().any(|m| files.has(m)) {
        return Vec::new();
    }
    let mut checks = vec![check(
        "python compile",
        Category::Build,
        "python3 -m compileall -q -x '(^|/)(\\.|node_modules|venv)' .",
    )];
    let configured = files.has("pytest.ini")
        || ["pyproject.toml", "setup.cfg", "tox.ini", "requirements.txt"]
            .iter()
            .any(|f| files.text(f).contains("pytest"));
    let tests = ["tests/", "test/"].iter().find(|d| files.has(d));
    let loose = files
        .names
        .iter()
        .any(|n| n.starts_with("test_") && n.ends_with(".py"));
    if configured || tests.is_some() || loose {
        let start = tests.map_or(".", |d| d.trim_end_matches('/'));
        let run = format!(
            "if python3 -c 'import pytest' 2>/dev/null; then\n  python3 -m pytest -q -p no:cacheprovider\nelse\n  python3 -m unittest discover -s {start} -t .\nfi"
        );
        checks.push(check("python tests", Category::Functionality, run));
    }
    checks
}

fn go(files: &RootFiles) -> Vec<CheckSpec> {
    if !files.has("go.mod") {
        return Vec::new();
    }
    vec![
        check("go build", Category::Build, "go build -o /dev/null ./..."),
        check("go vet", Category::Build, "go vet ./..."),
        check("go test", Category::Functionality, "go test ./..."),
    ]
}

/// Maven's and Gradle's own life cycles; a wrapper in the tree names the version that the project wants.
fn java(files: &RootFiles) -> Vec<CheckSpec> {
    let wrapped = |wrapper: &str, plain: &'static str| {
        if files.has(wrapper) {
            format!("sh ./{wrapper}")
        } else {
            plain.to_owned()
        }
    };
    let gradle = [
        "settings.gradle",
        "settings.gradle.kts",
        "build.gradle",
        "build.gradle.kts",
    ];
    let (name, build, test) = if files.has("pom.xml") {
        let maven = wrapped("mvnw", "mvn");
        (
            "maven",
            format!("{maven} -B -q test-compile"),
            format!("{maven} -B -q test"),
        )
    } else if gradle.iter().any(|name| files.has(name)) {
        let gradle = wrapped("gradlew", "gradle");
        let (build, test) = (" --no-daemon -q testClasses", " --no-daemon -q test");
        ("gradle", format!("{gradle}{build}"), format!("{gradle}{test}"))
    } else {
        return Vec::new();
    };
    vec![
        check(&format!("{name} build"), Category::Build, build),
        check(&format!("{name} test"), Category::Functionality, test),
    ]
}

fn make(files: &RootFiles) -> Vec<CheckSpec> {
    // In the order in which GNU make itself looks for them.
    let found = ["GNUmakefile", "makefile", "Makefile"]
        .into_iter()
        .find(|n| files.has(n));
    let text = found.map_or("", |name| files.text(name));
    [
        ("build", Category::Build),
        ("check", Category::Functionality),
        ("test", Category::Functionality),
    ]
    .into_iter()
    .filter(|(target, _)| has_target(text, target))
    .map(|(target, category)| check(&format!("make {target}"), category, format!("make {target}")))
    .collect()
}

/// Whether a line defines the target (and no variable of that name).
fn has_target(makefile: &str, target: &str) -> bool {
    makefile.lines().any(|line| {
        let Some((left, right)) = line.split_once(':') else {
            return false;
        };
        let recipe_or_comment = line.starts_with(['\t', '#']);
        let assignment = right.starts_with('=') || right.starts_with(":=") || left.contains('=');
        !recipe_or_comment && !assignment && left.split_whitespace().any(|word| word == target)
    })
}

#[cfg(test)]
mod tests;
