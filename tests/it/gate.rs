//! The gate over real repositories: what it runs, what it believes, and what it leaves behind (nothing).

#![allow(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

mod asked;
mod cell;
mod checks;
mod older;
mod refused;
mod spare;
mod tampering;
mod work;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use chrono::Utc;
use orchestrator::domain::gate::{
    Category, CheckSource, CheckSpec, CheckVerdict, GateReport, Receipt, Verdict,
};
use orchestrator::gate::{Asked, Gate, GateRequest, Rules, Standing, feedback, standings};
use orchestrator::workspace::Workspace;

use crate::workspace::world::{World, commit_all};

struct Case {
    world: World,
    workspace: Workspace,
}

impl Case {
    async fn new() -> Self {
        let world = World::new();
        let workspace = world.prepare("t", "../repo").await.unwrap();
        Self { world, workspace }
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.workspace.root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn commit(&self) -> String {
        commit_all(&self.workspace.root, "work")
    }

    fn request<'a>(&'a self, commit: &'a str, checks: &'a [CheckSpec]) -> GateRequest<'a> {
        GateRequest {
            workspace: &self.workspace,
            commit,
            checks,
            default_timeout: Duration::from_secs(60),
            env: BTreeMap::new(),
            confine: None,
            keep: None,
            require_progress: false,
            progress_missing: None,
            worker_entries: 0,
            tests_may_change: false,
            rules: Rules::default(),
            spares: None,
            asked: Asked::default(),
        }
    }

    async fn judge(&self, checks: &[CheckSpec]) -> GateReport {
        let head = self.workspace.head().await.unwrap();
        run(&self.request(&head, checks)).await
    }

    async fn one(&self, script: &str) -> Receipt {
        self.judge(&[check(script)]).await.receipts.swap_remove(0)
    }
}

async fn run(request: &GateRequest<'_>) -> GateReport {
    Gate.run(request, &Utc::now).await.unwrap()
}

fn check(script: &str) -> CheckSpec {
    CheckSpec {
        name: "check".to_owned(),
        category: Category::Functionality,
        run: script.to_owned(),
        timeout: None,
        source: CheckSource::Task,
    }
}

fn receipt<'a>(report: &'a GateReport, name: &str) -> &'a Receipt {
    report
        .receipts
        .iter()
        .find(|r| r.name == name)
        .unwrap_or_else(|| panic!("no {name} in {report:#?}"))
}

#[tokio::test]
async fn a_check_that_moves_head_is_void() {
    let case = Case::new().await;
    case.write("b.txt", "b");
    case.commit();
    for script in [
        "git checkout -q HEAD~1",
        "git -c user.name=x -c user.email=x@y commit -q --allow-empty -m moved",
        "rm -rf .git",
    ] {
        let report = case.judge(&[check(script)]).await;
        assert_eq!(report.receipts[0].verdict, CheckVerdict::Error, "{script}");
        assert!(
            report.receipts[0].output_tail.contains("receipt"),
            "{}",
            report.receipts[0].output_tail
        );
        assert_eq!(report.verdict(), Verdict::Failed);
    }
}

#[tokio::test]
async fn files_that_a_check_makes_or_changes_make_the_tree_dirty() {
    let case = Case::new().await;
    case.write(".gitignore", "out/\n");
    case.commit();
    for (script, clean) in [
        ("mkdir out && touch out/x", true),
        ("mkdir -p node_modules/y && touch node_modules/y/z", true),
        (
            "mkdir t && printf 'Signature: 8a477f597d28d172789f06886806bc55\\n' > t/CACHEDIR.TAG",
            true,
        ),
        ("echo x > made.txt", false),
        ("echo x > a.txt", false),
        ("rm a.txt", false),
        ("git update-index --skip-worktree a.txt && echo x > a.txt", false),
        ("touch a.txt", true),
    ] {
        let report = case.judge(&[check(script)]).await;
        let seen = receipt(&report, "git-clean");
        assert_eq!(
            seen.verdict == CheckVerdict::Passed,
            clean,
            "{script}: {}",
            seen.output_tail
        );
        assert_eq!(
            (seen.source, seen.category),
            (CheckSource::House, Category::Integration)
        );
        assert_eq!(report.verdict() == Verdict::Passed, clean, "{script}");
    }
}

#[tokio::test]
async fn a_result_of_another_commit_does_not_count() {
    let case = Case::new().await;
    let green = case.judge(&[check("true")]).await;
    assert_eq!(green.verdict(), Verdict::Passed);
    case.write("b.txt", "b");
    let mut next = case.judge(&[check("exit 3")]).await;
    assert_eq!(next.commit, green.commit, "what is not committed is not judged");
    case.commit();
    next = case.judge(&[check("exit 3")]).await;
    assert_ne!(next.commit, green.commit);
    next.receipts[0] = green.receipts[0].clone();
    assert_eq!(next.verdict(), Verdict::Failed);
    assert!(feedback(&next).contains("another commit"));
}

#[tokio::test]
async fn a_moved_base_that_conflicts_is_red() {
    let case = Case::new().await;
    case.write("a.txt", "worker\n");
    case.commit();
    let repo = case.world.path("repo");
    fs::write(repo.join("a.txt"), "base\n").unwrap();
    commit_all(&repo, "base moves");
    let report = case.judge(&[check("true")]).await;
    let merge = receipt(&report, "merges-with-base");
    assert_eq!(merge.verdict, CheckVerdict::Failed);
    assert!(merge.output_tail.contains("a.txt") && merge.command.contains("refs/heads/main"));
    assert_eq!(report.verdict(), Verdict::Failed);
    let standing: BTreeMap<_, _> = standings(&report).into();
    assert_eq!(standing[&Category::Integration], Standing::Red);
    assert_eq!(standing[&Category::Dependencies], Standing::Absent);
    assert!(feedback(&report).contains("merges-with-base"));
}

#[tokio::test]
async fn a_moved_base_is_tested_together_with_the_work() {
    let case = Case::new().await;
    case.write("b.txt", "b");
    case.commit();
    let repo = case.world.path("repo");
    fs::write(repo.join("c.txt"), "c").unwrap();
    commit_all(&repo, "base moves");
    let good = case.judge(&[check("test -e b.txt")]).await;
    assert_eq!(good.verdict(), Verdict::Passed, "{good:#?}");
    let again: Vec<_> = good
        .receipts
        .iter()
        .filter(|r| r.category == Category::Dependencies)
        .collect();
    assert_eq!(again.len(), 1);
    assert!(again[0].name.starts_with("check (merged with ") && again[0].source == CheckSource::Task);
    // Fine alone, broken together.
    let bad = case.judge(&[check("test ! -e c.txt")]).await;
    assert_eq!(bad.receipts[0].verdict, CheckVerdict::Passed);
    let standing: BTreeMap<_, _> = standings(&bad).into();
    assert_eq!(standing[&Category::Dependencies], Standing::Red);
    assert_eq!(bad.verdict(), Verdict::Failed);
}

#[tokio::test]
async fn an_unmoved_base_speaks_for_the_dependencies() {
    let case = Case::new().await;
    let report = case.judge(&[check("true")]).await;
    assert_eq!(receipt(&report, "base-unmoved").category, Category::Dependencies);
    let mut own = check("true");
    own.category = Category::Dependencies;
    let report = case.judge(&[own]).await;
    assert!(
        report.receipts.iter().all(|r| r.name != "base-unmoved"),
        "a check of the project's own speaks"
    );
}

#[tokio::test]
async fn with_nothing_to_run_a_person_decides() {
    let case = Case::new().await;
    let report = case.judge(&[]).await;
    assert_eq!(report.verdict(), Verdict::NeedsPerson);
    assert!(report.receipts.iter().all(|r| r.source == CheckSource::House));
    let standing: BTreeMap<_, _> = standings(&report).into();
    assert_eq!(standing[&Category::Functionality], Standing::Absent);
    assert_eq!(standing[&Category::Dependencies], Standing::Absent);
    assert_eq!(standing[&Category::Integration], Standing::Green);
}

#[tokio::test]
async fn the_progress_file_is_asked_for_where_the_configuration_says_so() {
    let case = Case::new().await;
    let head = case.workspace.head().await.unwrap();
    let checks = [check("true")];
    for (missing, entries, wanted) in [
        (Some(vec![]), 1, Standing::Green),
        (Some(vec!["Work Log".to_owned()]), 1, Standing::Red),
        (Some(vec![]), 0, Standing::Red),
        (None, 3, Standing::Red),
    ] {
        let mut request = case.request(&head, &checks);
        request.require_progress = true;
        request.progress_missing = missing.clone();
        request.worker_entries = entries;
        let report = run(&request).await;
        let standing: BTreeMap<_, _> = standings(&report).into();
        assert_eq!(
            standing[&Category::Documentation],
            wanted,
            "{missing:?} {entries}"
        );
        assert_eq!(report.verdict() == Verdict::Passed, wanted == Standing::Green);
    }
    let free = run(&case.request(&head, &checks)).await;
    let standing: BTreeMap<_, _> = standings(&free).into();
    assert_eq!(standing[&Category::Documentation], Standing::Absent);
}

#[tokio::test]
async fn detected_checks_come_from_the_base_and_the_commit() {
    let world = World::new();
    let repo = world.path("repo");
    fs::write(repo.join("Makefile"), "test:\n\ttest -e a.txt\n").unwrap();
    commit_all(&repo, "makefile");
    let workspace = world.prepare("t", "../repo").await.unwrap();
    let case = Case { world, workspace };
    let report = case.judge(&[]).await;
    assert_eq!(receipt(&report, "make test").source, CheckSource::Detected);
    assert_eq!(report.verdict(), Verdict::Passed, "{report:#?}");
    fs::remove_file(case.workspace.root.join("Makefile")).unwrap();
    case.commit();
    let report = case.judge(&[]).await;
    assert_eq!(
        receipt(&report, "make test").verdict,
        CheckVerdict::Failed,
        "the base still asks for it"
    );
    case.write("Makefile", "test:\n\ttrue\nbuild:\n\ttrue\n");
    case.commit();
    let report = case.judge(&[]).await;
    assert_eq!(receipt(&report, "make build").verdict, CheckVerdict::Passed);
    assert_eq!(report.verdict(), Verdict::NeedsPerson, "its test is another one");
}

/// A tool, and the files of a small project that it tests.
type Project = (&'static str, &'static [(&'static str, &'static str)]);

const HONEST: [Project; 3] = [
    (
        "python3",
        &[
            ("pyproject.toml", ""),
            ("m.py", "def f():\n    return 1\n"),
            ("tests/__init__.py", ""),
            (
                "tests/test_m.py",
                "import unittest, m\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(m.f(), 1)\n",
            ),
        ],
    ),
    (
        "npm",
        &[
            (
                "package.json",
                r#"{"name":"x","version":"1.0.0","scripts":{"test":"node t.js"}}"#,
            ),
            ("t.js", "require('assert').equal(1, 1)\n"),
        ],
    ),
    (
        "cargo",
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"x\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
            ),
            (
                "Cargo.lock",
                "version = 3\n\n[[package]]\nname = \"x\"\nversion = \"0.1.0\"\n",
            ),
            (
                "src/lib.rs",
                "pub fn f() -> u8 { 1 }\n#[test]\nfn t() { assert_eq!(f(), 1) }\n",
            ),
        ],
    ),
];

#[tokio::test]
async fn honest_small_projects_pass_with_their_detected_checks() {
    for (tool, files) in HONEST {
        let there = std::process::Command::new(tool).arg("--version").output();
        if !there.is_ok_and(|out| out.status.success()) {
            eprintln!("{tool} is not on this machine");
            continue;
        }
        let world = World::new();
        let workspace = world
            .all
            .prepare(&"t".parse().unwrap(), None, "x", &[])
            .await
            .unwrap();
        let case = Case { world, workspace };
        for (name, text) in files {
            case.write(name, text);
        }
        let start = case.workspace.base.commit.clone();
        case.workspace.commit_leftovers("work", &start).await.unwrap();
        let report = case.judge(&[]).await;
        assert_eq!(report.verdict(), Verdict::Passed, "{tool}: {report:#?}");
    }
}

#[tokio::test]
async fn the_gate_fails_to_run_only_where_there_is_nothing_to_look_at() {
    let case = Case::new().await;
    let unknown = "0123456789012345678901234567890123456789";
    let error = Gate
        .run(&case.request(unknown, &[]), &Utc::now)
        .await
        .unwrap_err();
    assert!(error.to_string().contains(unknown));
}

#[tokio::test]
async fn the_future_can_be_spawned() {
    let case = std::sync::Arc::new(Case::new().await);
    let theirs = case.clone();
    let report = tokio::spawn(async move { theirs.judge(&[check("true")]).await })
        .await
        .unwrap();
    assert_eq!(report.verdict(), Verdict::Passed);
}
