use super::*;

fn files(entries: &[(&str, &str)]) -> RootFiles {
    RootFiles {
        names: entries.iter().map(|(n, _)| (*n).to_owned()).collect(),
        texts: entries
            .iter()
            .map(|(n, t)| ((*n).to_owned(), (*t).to_owned()))
            .collect(),
    }
}

fn runs(entries: &[(&str, &str)]) -> Vec<String> {
    detect(&files(entries)).into_iter().map(|c| c.run).collect()
}

#[test]
fn rust_builds_and_tests_locked_where_there_is_a_lock() {
    assert_eq!(
        runs(&[("Cargo.toml", "")]),
        ["cargo build --all-targets", "cargo test --no-fail-fast"]
    );
    assert_eq!(
        runs(&[("Cargo.toml", ""), ("Cargo.lock", "")]),
        [
            "cargo build --all-targets --locked",
            "cargo test --no-fail-fast --locked"
        ]
    );
}

#[test]
fn node_runs_the_scripts_that_are_there() {
    let manifest = r#"{"scripts":{"build":"tsc","test":"jest","lint":"eslint .","start":"x"},"devDependencies":{"jest":"1"}}"#;
    assert_eq!(
        runs(&[("package.json", manifest), ("package-lock.json", "")]),
        [
            "npm ci --no-audit --no-fund",
            "npm run build",
            "npm run lint",
            "npm run test"
        ]
    );
    assert_eq!(
        runs(&[("package.json", manifest), ("yarn.lock", "")])[1],
        "yarn run build"
    );
    assert_eq!(
        runs(&[("package.json", manifest), ("pnpm-lock.yaml", "")])[0],
        "pnpm install --frozen-lockfile"
    );
    assert!(runs(&[("package.json", manifest)])[0].starts_with("npm install --no-package-lock"));
}

#[test]
fn npms_own_placeholder_is_no_test() {
    let placeholder = r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#;
    assert!(runs(&[("package.json", placeholder)]).is_empty());
    assert!(runs(&[("package.json", "{}")]).is_empty());
    assert_eq!(
        runs(&[("package.json", r#"{"scripts":{"test":"node --test"}}"#)]),
        ["npm run test"]
    );
}

#[test]
fn a_broken_manifest_is_a_check_that_will_be_red() {
    let checks = detect(&files(&[("package.json", "{")]));
    assert_eq!(checks.len(), 1);
    assert_eq!(checks[0].category, Category::Build);
}

#[test]
fn python_compiles_and_tests_where_there_are_tests() {
    assert_eq!(runs(&[("pyproject.toml", "")]).len(), 1);
    assert_eq!(runs(&[("requirements.txt", "flask")]).len(), 1);
    for with_tests in [
        vec![("pyproject.toml", "[tool.pytest.ini_options]")],
        vec![("setup.py", ""), ("tests/", "")],
        vec![("setup.cfg", ""), ("test_app.py", "")],
        vec![("requirements.txt", "pytest==8")],
    ] {
        let runs = runs(&with_tests);
        assert_eq!(runs.len(), 2, "{with_tests:?}");
        assert!(runs[1].contains("pytest") && runs[1].contains("unittest"));
    }
    assert!(runs(&[("setup.py", ""), ("tests/", "")])[1].contains("-s tests"));
}

#[test]
fn go_builds_vets_and_tests() {
    assert_eq!(
        runs(&[("go.mod", "module x")]),
        ["go build -o /dev/null ./...", "go vet ./...", "go test ./..."]
    );
}

#[test]
fn java_builds_and_tests_by_its_own_tool() {
    assert_eq!(
        runs(&[("pom.xml", "")]),
        ["mvn -B -q test-compile", "mvn -B -q test"]
    );
    assert_eq!(
        runs(&[("build.gradle.kts", ""), ("gradlew", "")]),
        [
            "sh ./gradlew --no-daemon -q testClasses",
            "sh ./gradlew --no-daemon -q test"
        ]
    );
    assert_eq!(
        runs(&[("pom.xml", ""), ("mvnw", ""), ("build.gradle", "")])[1],
        "sh ./mvnw -B -q test"
    );
    assert_eq!(runs(&[("settings.gradle", "")]).len(), 2);
}

#[test]
fn a_makefile_speaks_for_its_targets_where_nothing_else_does() {
    let text = "test := 1\nbuild ::= 2\n# check: no\n.PHONY: check build\ncheck lint: x\n\techo test: a\n";
    assert_eq!(runs(&[("Makefile", text)]), ["make check"]);
    assert_eq!(
        runs(&[("Makefile", "build: ; cc x\ntest: build\n")]),
        ["make build", "make test"]
    );
    assert!(
        runs(&[("Makefile", "test:\n"), ("go.mod", "")])
            .iter()
            .all(|r| r.starts_with("go "))
    );
    assert_eq!(
        runs(&[("Makefile", "test:\n"), ("GNUmakefile", "check:\n")]),
        ["make check"]
    );
}

#[test]
fn nothing_is_found_where_nothing_is() {
    assert!(runs(&[]).is_empty());
    assert!(runs(&[("README.md", ""), ("src/", "")]).is_empty());
}

#[test]
fn several_kinds_of_project_all_count() {
    let all = runs(&[("Cargo.toml", ""), ("go.mod", ""), ("pyproject.toml", "")]);
    assert_eq!(all.len(), 6);
}

proptest::proptest! {
    #[test]
    fn no_manifest_makes_it_panic(text in ".{0,200}", which in 0usize..MANIFESTS.len()) {
        let name = MANIFESTS[which];
        for found in detect(&files(&[(name, &text)])) {
            proptest::prop_assert!(!found.run.is_empty() && found.source == CheckSource::Detected);
        }
    }
}
